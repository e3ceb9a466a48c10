/** A PNG of one pixel. */
export const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)
/** The beginning of a JPEG. */
export const JPEG = Buffer.concat([Buffer.from('ffd8ffe000104a46494600010100', 'hex'), Buffer.alloc(100)])
/** A drawing. */
export const SVG = Buffer.from('<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>')
/** The beginning of a ZIP, with a file of no byte in it. */
export const ZIP = Buffer.from('504b0304140000000000000000000000000000000000000000000100000061', 'hex')
/** The beginning of a Windows program. */
export const EXE = Buffer.concat([Buffer.from('MZ'), Buffer.alloc(100)])
