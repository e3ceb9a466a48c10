import type { OpenApiDocument, OperationObject, ResponseObject } from '../../../src/json/index.ts'
import { escapeHtml, exampleHtml, inlineHtml, proseHtml, tableHtml } from './html.ts'
import { anchorOf, schemaHtml, typeHtml } from './schema-html.ts'
import { STYLE } from './style.ts'

/**
 * The page on which people read the document. It is made here and has no script, so that it needs nothing from anywhere:
 * the usual renderers are megabytes of JavaScript, and more packages than this server has, for eleven calls.
 */
export function documentationPage(document: OpenApiDocument): string {
  const { info, tags, components } = document
  const calls = callsOf(document)
  const sections = tags.map(({ name, description }) => {
    const own = calls.filter(({ operation }) => operation.tags.includes(name))
    return `<h2>${escapeHtml(description)}</h2>\n${own.map(callHtml).join('\n')}`
  })
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) => `<h3 id="${anchorOf(name)}">${escapeHtml(name)}</h3>\n${schemaHtml(schema)}`,
  )
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(info.title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeHtml(info.title)}</h1>
${proseHtml(info.description)}
<p>Version ${escapeHtml(info.version)} of the API. <a href="documentation/json">The OpenAPI document</a> is what to give to tools.</p>
${sections.join('\n')}
<h2>Schemas</h2>
${schemas.join('\n')}
</main>
</body>
</html>
`
}

interface Call {
  readonly method: string
  readonly path: string
  readonly operation: OperationObject
}

function callsOf({ paths }: OpenApiDocument): readonly Call[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  )
}

function callHtml({ method, path, operation }: Call): string {
  const { operationId, summary, description, parameters, requestBody, responses } = operation
  const rows = parameters.map((parameter) => [
    `<code>${escapeHtml(parameter.name)}</code>${parameter.required ? '' : ' <i>optional</i>'}`,
    `${parameter.in}, ${typeHtml(parameter.schema)}`,
    inlineHtml(parameter.description) +
      (parameter.example === undefined ? '' : `<br>Example: <code>${escapeHtml(String(parameter.example))}</code>`),
  ])
  return `<details id="${escapeHtml(operationId)}">
<summary><b>${method}</b> <code>${escapeHtml(path)}</code> ${escapeHtml(summary)}</summary>
${proseHtml(description)}
${rows.length === 0 ? '' : `<h4>Request</h4>\n${tableHtml(['Name', 'Type', ''], rows)}`}
${requestBody === undefined ? '' : `<h4>Request body</h4>\n${contentHtml(requestBody.content)}`}
${Object.entries(responses).map(responseHtml).join('\n')}
</details>`
}

function responseHtml([status, { description, headers = {}, content = {} }]: [string, ResponseObject]): string {
  const rows = Object.entries(headers).map(([name, header]) => [
    `<code>${escapeHtml(name)}</code>`,
    typeHtml(header.schema),
    inlineHtml(header.description),
  ])
  return `<h4>${escapeHtml(status)}</h4>
${proseHtml(description)}
${tableHtml(['Header', 'Type', ''], rows)}
${contentHtml(content)}`
}

/** Failures have an example for each code, and differ in nothing else: their description says it all. */
function contentHtml(content: NonNullable<ResponseObject['content']>): string {
  return Object.entries(content)
    .filter(([, { examples }]) => examples === undefined)
    .map(([type, { schema, example }]) => {
      const data = schema.properties?.['data'] ?? schema
      return `<p><code>${escapeHtml(type)}</code>: ${typeHtml(data)}</p>\n${example === undefined ? '' : exampleHtml(example)}`
    })
    .join('\n')
}
