import type { SchemaObject } from '../../../src/json/index.ts'
import { escapeHtml, inlineHtml, tableHtml } from './html.ts'

/** What a value of a schema is, in a few words: `integer, 0 or more`, `string (uuid) or null`. */
export function typeHtml(schema: SchemaObject): string {
  const { $ref, allOf, anyOf, enum: values, items, type = 'anything' } = schema
  if ($ref !== undefined) return linkTo($ref)
  if (allOf !== undefined) return allOf.map(typeHtml).join(' and ')
  if (anyOf !== undefined) return anyOf.map(typeHtml).join(' or ')
  if (values !== undefined) return values.map(codeHtml).join(' or ')
  if (schema.const !== undefined) return codeHtml(schema.const)
  if (items !== undefined) return `array${limits(items.minItems ?? schema.minItems, undefined)} of ${typeHtml(items)}`
  const format = schema.format === undefined ? '' : ` (${escapeHtml(schema.format)})`
  return type + format + limits(schema.minimum, schema.maximum)
}

/** What is said of a schema, and its fields where it has some. */
export function schemaHtml(schema: SchemaObject): string {
  const rows = Object.entries(schema.properties ?? {}).map(([name, field]) => [
    `<code>${escapeHtml(name)}</code>${schema.required?.includes(name) === true ? '' : ' <i>optional</i>'}`,
    typeHtml(field),
    inlineHtml(descriptionOf(field)) + fieldsHtml(field),
  ])
  return tableHtml(['Field', 'Type', ''], rows)
}

/** The anchor of a schema that stands among the components. */
export function anchorOf(name: string): string {
  return `schema-${escapeHtml(name)}`
}

function fieldsHtml(field: SchemaObject): string {
  return field.properties === undefined ? '' : schemaHtml(field)
}

/** A schema that may also be null carries its description inside. */
function descriptionOf({ description, anyOf = [] }: SchemaObject): string {
  return description ?? anyOf.find((one) => one.description !== undefined)?.description ?? ''
}

function linkTo(ref: string): string {
  const name = ref.replace('#/components/schemas/', '')
  return `<a href="#${anchorOf(name)}">${escapeHtml(name)}</a>`
}

function codeHtml(value: unknown): string {
  return `<code>${escapeHtml(JSON.stringify(value))}</code>`
}

function limits(least: number | undefined, most: number | undefined): string {
  if (least === undefined) return ''
  return most === undefined || most === Number.MAX_SAFE_INTEGER ? `, ${least} or more` : `, ${least} to ${most}`
}
