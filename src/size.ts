const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
}

/** Bytes of a size as people write it: `1000`, `5MiB`, `50 GiB`, `50GB`. Never 0; null where it is none. */
export function parseSize(text: string): number | null {
  const [, digits = '', unit = ''] = /^([0-9]+) ?([kmgt]i?b|b|)$/i.exec(text) ?? []
  const bytes = digits === '' ? 0 : Number(digits) * (UNITS[unit.toLowerCase()] ?? Number.NaN)
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : null
}
