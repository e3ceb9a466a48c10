import type { Change } from '../../upload.ts'
import { entryText, tailText } from './record-text.ts'

/** How many values one change has in ARGV. */
const VALUES = 4

/** Said of a chunk that may follow whatever stands. */
const ANY_TAIL = '*'

/** A change as a script gets it: its type, and what it says. */
export function changeArgs(change: Change): string[] {
  const values: string[] = [change.type, ...told(change)]
  while (values.length < VALUES) values.push('')
  return values
}

function told(change: Change): string[] {
  switch (change.type) {
    case 'chunk':
      return [entryText(change.entry), change.follows === undefined ? ANY_TAIL : tailText(change.follows)]
    case 'tail':
      return [tailText(change.tail)]
    case 'length':
      return [String(change.size), String(change.at)]
    case 'ended':
      return [change.status, String(change.at), change.ofFile === true ? '1' : '']
    case 'digest':
      return [change.sha256]
    case 'completing':
    case 'touch':
      return []
  }
}

/**
 * The rules of {@link applyChange} on a record, put after `WRITE_LUA`. They say the same thing twice, because only Redis
 * sees the record at the moment of the commit; a test holds one against the other.
 *
 * `applyAll(record, first)`: applies the changes that stand in ARGV from `first` on (see {@link changeArgs}). Returns nil,
 * or a refusal: {code, facts...}. Nothing is written here.
 */
export const RULES_LUA = `
local GONE = { cancelled = true, expired = true, failed = true }
local REFUSED_GONE, REFUSED_COMPLETED, REFUSED_SIZE, REFUSED_LENGTH, REFUSED_TAIL = -2, -3, -4, -5, -6

local function isOpen(record)
  return record.status == 'initiated' or record.status == 'uploading'
end

local function begun(record)
  if record.status == 'initiated' then record.status = 'uploading' end
end

local function chunkLength(record, number)
  local size = tonumber(record.size)
  if not size then return record.chunkSize end
  local start = number * record.chunkSize
  return math.max(0, math.min(start + record.chunkSize, size) - start)
end

-- A chunk that another one follows is whole: the size of the last alone has to be remembered.
local function extent(record)
  local last = record.highest < 0 and 0 or record.highest * record.chunkSize + record.highestSize
  local run = record.run == record.highest + 1 and last or record.run * record.chunkSize
  return math.max(last, run + (record.tailSize or 0))
end

local RULES = {}

function RULES.chunk(record, text, follows)
  local number, size = string.match(text, '^(%S+) (%S+)')
  if not has(record, tonumber(number)) then
    if not isOpen(record) then return { REFUSED_COMPLETED } end
    local length = chunkLength(record, tonumber(number))
    if length <= 0 or tonumber(size) ~= length then return { REFUSED_SIZE, number, decimal(length), size } end
    if follows ~= '${ANY_TAIL}' and record.tailNumber == tonumber(number) and record.tail ~= follows then
      return { REFUSED_TAIL }
    end
    add(record, text)
  end
  begun(record)
end

function RULES.tail(record, text)
  if not isOpen(record) then return { REFUSED_COMPLETED } end
  setTail(record, text)
  begun(record)
end

function RULES.length(record, size, at)
  if record.size == size then return end
  if record.size ~= '' or tonumber(size) < extent(record) then return { REFUSED_LENGTH, record.size } end
  record.size = size
  -- A length that ends with the tail makes the tail the last chunk.
  if record.tailSize and record.tailSize == chunkLength(record, record.tailNumber) then
    add(record, (string.gsub(record.tail, '^(%S+ %S+) ', '%1 ' .. at .. ' ')))
  end
end

function RULES.completing(record)
  if isOpen(record) then record.status = 'completing' end
end

function RULES.ended(record, status, at, ofFile)
  if record.status == status then return end
  if record.status == 'completing' and status == 'expired' then return { REFUSED_COMPLETED } end
  local endsFile = ofFile == '1' and (status == 'cancelled' or status == 'expired')
  if record.status == 'uploaded' and not endsFile then return { REFUSED_COMPLETED } end
  record.status, record.endedAt = status, at
end

function RULES.digest(record, sha256)
  if record.digest == '' then record.digest = sha256 end
end

function RULES.touch() end

local function applyAll(record, first)
  for i = first, #ARGV, ${VALUES} do
    local refusal
    if not GONE[record.status] then
      refusal = RULES[ARGV[i]](record, ARGV[i + 1], ARGV[i + 2], ARGV[i + 3])
    elseif ARGV[i] ~= 'ended' or ARGV[i + 1] ~= record.status then
      refusal = { REFUSED_GONE, record.status }
    end
    if refusal then return refusal end
  end
end
`
