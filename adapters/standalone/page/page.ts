import { escapeHtml } from '../documentation/html.ts'
import { STYLE } from './style.ts'

/** What the page is told of the server. */
export interface PageFacts {
  readonly apiPrefix: string
  readonly tusPath: string
  readonly auth: 'none' | 'jwt' | 'api-key'
  /** Addresses of the modules, below the page's own: they are fetched side by side, and not one after the other. */
  readonly modules: readonly string[]
  /** Address of the module that begins. */
  readonly main: string
  /** Address of tus-js-client, as its package brings it for pages. */
  readonly tusJs: string
}

const TOKEN_NAMES = { jwt: 'Token (JWT)', 'api-key': 'API key' } as const

/** The page on which one tries an upload. What it does is in `browser/`; this is what it is before a script has run. */
export function uploadPage({ apiPrefix, tusPath, auth, modules, main, tusJs }: PageFacts): string {
  const settings = escapeHtml(JSON.stringify({ apiPrefix, tusPath, auth }))
  const preloads = modules.map((path) => `<link rel="modulepreload" href="${escapeHtml(path)}">`)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="holdfast" content="${settings}">
<title>Holdfast: try an upload</title>
<link rel="icon" href="page/icon.svg">
<style>${STYLE}</style>
${preloads.join('\n')}
<script defer src="${escapeHtml(tusJs)}"></script>
<script type="module" src="${escapeHtml(main)}"></script>
</head>
<body>
<header>
<h1>Holdfast</h1>
<p>What has arrived stays, and is never sent twice.</p>
</header>
<main>
<section id="zone" aria-labelledby="lead">
<p class="lead" id="lead">Drop files here, or</p>
<button type="button" id="choose" disabled>Choose files</button>
<input type="file" id="files" class="hidden" multiple tabindex="-1" aria-label="Files to upload">
<p>Pull the plug, close the page, come back: it goes on where it was.</p>
</section>
<noscript><p>This page needs JavaScript. The server does not: see the <a href="documentation">documentation</a>.</p></noscript>
${auth === 'none' ? '' : tokenField(auth)}
<fieldset>
<legend>Protocol</legend>
<label><input type="radio" name="protocol" id="protocol-json" checked> JSON chunks, three at a time</label>
<label><input type="radio" name="protocol" id="protocol-tus"> tus 1.0, by tus-js-client</label>
</fieldset>
<section id="unfinished" aria-labelledby="unfinished-title" hidden>
<h2 id="unfinished-title">Unfinished uploads</h2>
<p class="what">Browsers forget which file it was: choose it again, and only what is missing is sent.</p>
<ul id="unfinished-list"></ul>
</section>
<section id="uploads" aria-labelledby="uploads-title">
<h2 id="uploads-title" class="hidden">Uploads</h2>
<ul id="uploads-list"></ul>
</section>
</main>
<footer>
<p><a href="documentation">API documentation</a></p>
<p class="hidden" id="announcements" role="status"></p>
</footer>
</body>
</html>
`
}

function tokenField(auth: keyof typeof TOKEN_NAMES): string {
  return `<div class="field">
<label for="token">${TOKEN_NAMES[auth]}</label>
<input type="password" id="token" autocomplete="off" spellcheck="false" aria-describedby="token-note">
<p id="token-note">Kept in this tab, and sent to this server only.</p>
</div>`
}

/** A hand that holds: two brackets around a dot. */
export const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#0b5fb0"/><path d="M13 7H8v18h5M19 7h5v18h-5" fill="none" stroke="#fff" stroke-width="3"/><circle cx="16" cy="16" r="3.5" fill="#fff"/></svg>`
