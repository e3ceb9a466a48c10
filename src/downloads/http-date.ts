const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** "A recipient that parses a timestamp value in an HTTP field MUST accept all three HTTP-date formats" (RFC 9110 section 5.6.7). */
const FORMATS: readonly RegExp[] = [
  // Sun, 06 Nov 1994 08:49:37 GMT
  /^[A-Z][a-z]{2}, (?<day>\d\d) (?<month>[A-Z][a-z]{2}) (?<year>\d{4}) (?<time>\d\d:\d\d:\d\d) GMT$/,
  // Sunday, 06-Nov-94 08:49:37 GMT
  /^[A-Z][a-z]{5,8}, (?<day>\d\d)-(?<month>[A-Z][a-z]{2})-(?<year>\d\d) (?<time>\d\d:\d\d:\d\d) GMT$/,
  // Sun Nov  6 08:49:37 1994
  /^[A-Z][a-z]{2} (?<month>[A-Z][a-z]{2}) (?<day>[ \d]\d) (?<time>\d\d:\d\d:\d\d) (?<year>\d{4})$/,
]

/** Reads an HTTP-date: ms since the epoch, or null where it is none. (`Date.parse` takes much that is none.) */
export function parseHttpDate(text: string, now: () => number = Date.now): number | null {
  for (const format of FORMATS) {
    const { day, month, year, time } = format.exec(text.trim())?.groups ?? {}
    if (day === undefined || month === undefined || year === undefined || time === undefined) continue
    const fullYear = year.length === 2 ? centuryOf(Number(year), now) : Number(year)
    return toTime(fullYear, MONTHS.indexOf(month), Number(day), time)
  }
  return null
}

/** An HTTP-date, in the one form that is sent. It knows no fractions of a second. */
export function formatHttpDate(ms: number): string {
  return new Date(ms).toUTCString()
}

/** "Recipients MUST interpret a timestamp value [...] that appears to be more than 50 years in the future" as of the past. */
function centuryOf(year: number, now: () => number): number {
  const thisYear = new Date(now()).getUTCFullYear()
  const inThisCentury = thisYear - (thisYear % 100) + year
  return inThisCentury > thisYear + 50 ? inThisCentury - 100 : inThisCentury
}

function toTime(year: number, month: number, day: number, time: string): number | null {
  const [hours = 0, minutes = 0, seconds = 0] = time.split(':').map(Number)
  const date = new Date(0)
  // Not Date.UTC, which takes the years 0 to 99 for those of the last century.
  date.setUTCFullYear(year, month, day)
  const isDay = month >= 0 && date.getUTCMonth() === month && date.getUTCDate() === day
  // A leap second is the first of the next minute.
  date.setUTCHours(hours, minutes, seconds)
  return isDay && hours < 24 && minutes < 60 && seconds <= 60 ? date.getTime() : null
}
