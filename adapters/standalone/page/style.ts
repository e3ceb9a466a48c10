/** What the page looks like, in the colours of the reader's system. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --ink: light-dark(#1b1f24, #e8eaed);
  --soft: light-dark(#57606a, #a3abb5);
  --ground: light-dark(#f4f5f7, #14171a);
  --card: light-dark(#fff, #1d2126);
  --line: light-dark(#d4d8dd, #363c44);
  --accent: light-dark(#0b5fb0, #77b7f7);
  --on-accent: light-dark(#fff, #0d1a26);
  --good: light-dark(#17692f, #6fd08c);
  --bad: light-dark(#b3261e, #ff9b93);
  --track: light-dark(#e3e7ec, #30363d);
  font: 16px/1.5 system-ui, sans-serif;
  color: var(--ink);
  background: var(--ground);
}
* { box-sizing: border-box }
body { margin: 0 }
main, header, footer { max-width: 46rem; margin: 0 auto; padding: 0 1.25rem }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 1rem; padding-top: 2rem }
h1 { margin: 0; font-size: 1.75rem; letter-spacing: -.02em }
header p { margin: 0; color: var(--soft) }
h2 { font-size: 1.0625rem; margin: 2rem 0 .75rem }
h3 { font-size: 1rem; font-weight: 600; margin: 0; display: flex; gap: .75rem; align-items: baseline }
p { margin: .375rem 0 }
a { color: var(--accent) }
#zone {
  margin-top: 1.5rem; padding: 2rem 1.25rem; text-align: center;
  background: var(--card); border: 2px dashed var(--line); border-radius: .75rem;
  transition: border-color .15s, background-color .15s;
}
#zone.over { border-color: var(--accent); background: color-mix(in srgb, var(--accent) 8%, var(--card)) }
#zone p { color: var(--soft) }
#zone .lead { color: var(--ink); font-size: 1.125rem }
button, .controls a {
  font: inherit; font-size: .9375rem; min-height: 2.75rem; padding: .375rem 1rem; border-radius: .5rem; cursor: pointer;
  color: var(--ink); background: transparent; border: 1px solid var(--line);
  display: inline-flex; align-items: center; text-decoration: none;
}
button:hover, .controls a:hover { border-color: var(--accent) }
button:disabled { opacity: .55; cursor: default }
#choose { color: var(--on-accent); background: var(--accent); border-color: var(--accent); font-weight: 600; padding: .375rem 1.5rem; margin: .5rem 0 }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
fieldset { border: 0; margin: 1rem 0 0; padding: 0; display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; align-items: center }
legend { float: left; padding: 0; margin-right: 1.5rem; color: var(--soft) }
fieldset label { display: inline-flex; align-items: center; gap: .5rem; min-height: 2.75rem; cursor: pointer }
input[type=radio] { width: 1.125rem; height: 1.125rem; margin: 0; accent-color: var(--accent) }
.field { margin-top: 1rem }
.field label { display: block; font-weight: 600 }
.field input { font: inherit; width: 100%; min-height: 2.75rem; padding: .375rem .75rem; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: .5rem }
.field p { color: var(--soft); font-size: .875rem }
ul { list-style: none; margin: 0; padding: 0 }
#uploads-list:not(:empty) { margin-top: 1.5rem }
#unfinished > .what { margin: -.375rem 0 .75rem }
.row { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1rem 1.125rem; margin-bottom: .75rem }
.name { overflow-wrap: anywhere; flex: 1 }
.protocol { flex: none; font-weight: 400; font-size: .8125rem; color: var(--soft); border: 1px solid var(--line); border-radius: 1rem; padding: 0 .625rem }
.what { color: var(--soft); font-size: .9375rem; font-variant-numeric: tabular-nums; overflow-wrap: anywhere }
.row[data-state=failed] .what { color: var(--bad) }
.row[data-state=done] .what::before { content: '✓ '; color: var(--good); font-weight: 700 }
.sum { font-size: .875rem; color: var(--soft) }
code { font: .8125rem/1.5 ui-monospace, monospace; overflow-wrap: anywhere; color: var(--ink) }
.controls { display: flex; flex-wrap: wrap; gap: .5rem; margin-top: .75rem }
progress { appearance: none; display: block; width: 100%; height: .625rem; margin: .75rem 0 .5rem; border: 0; border-radius: 1rem; overflow: hidden; background: var(--track); color: var(--accent) }
progress::-webkit-progress-bar { background: var(--track) }
progress::-webkit-progress-value { background: var(--accent); border-radius: 1rem; transition: width .25s linear }
progress::-moz-progress-bar { background: var(--accent); border-radius: 1rem }
.row[data-state=done] progress { color: var(--good) }
.row[data-state=done] progress::-webkit-progress-value { background: var(--good) }
.row[data-state=done] progress::-moz-progress-bar { background: var(--good) }
.row[data-state=paused] progress::-webkit-progress-value, .row[data-state=waiting] progress::-webkit-progress-value { opacity: .55 }
footer { padding-top: 2rem; padding-bottom: 2rem; color: var(--soft); font-size: .875rem }
.hidden:not(:focus):not(:active) { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
[hidden] { display: none !important }
@media (max-width: 30rem) {
  main, header, footer { padding-left: .875rem; padding-right: .875rem }
  header { padding-top: 1.25rem }
  #zone { padding: 1.5rem .875rem }
  .controls > * { flex: 1 1 auto; justify-content: center }
}
@media (prefers-reduced-motion: reduce) { *, ::before, ::after { transition: none !important } }
@media (forced-colors: active) { progress { border: 1px solid } }
`
