/** What the page looks like, in the colours of the reader's system. */
export const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
main { max-width: 60rem; margin: 0 auto; padding: 1rem }
h2 { margin-top: 2.5rem }
details { border: 1px solid #8886; border-radius: .4rem; margin: .6rem 0; padding: 0 1rem; overflow-x: auto }
summary { cursor: pointer; margin: 0 -1rem; padding: .6rem 1rem }
summary b { display: inline-block; min-width: 4.2rem }
code, pre { font: .875rem/1.45 ui-monospace, monospace }
code { overflow-wrap: anywhere }
pre { background: #8882; border-radius: .3rem; padding: .7rem; overflow-x: auto }
table { border-collapse: collapse; margin: .5rem 0; width: 100% }
th, td { border-top: 1px solid #8886; padding: .3rem .8rem .3rem 0; text-align: left; vertical-align: top }
td i { opacity: .7 }
`
