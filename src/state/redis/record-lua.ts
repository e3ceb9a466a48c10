/**
 * `serverStamp()`: which life of which server this is. A failover or a restart keeps what it had, and may lose the newest of
 * it. The run id is another in every process; the replication id also where a server lost its place and got it back.
 */
export const STAMP_LUA = `
local function serverStamp()
  local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or ''
  local replication = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)') or ''
  return run .. ' ' .. replication
end
`

/** Version of the record's format. */
export const RECORD_VERSION = '1'

/**
 * What all scripts on a record have in common; put before a script that has set `keys`, a table of `upload`, `entries` and
 * `index`.
 *
 * - `serverStamp()`: see {@link STAMP_LUA}. A record that bears another one is not believed until storage was merged into it.
 * - `mustKnowVersion()`: ends the script where a newer version wrote the record. What comes before it must write nothing.
 * - `readRecord()`: the record, also one that is not to be believed; nil where there is none, or a part of it was evicted.
 * - `readCurrent()`: the record that may be believed, or nil.
 * - `view(record, epoch, seen)`: the record for a reader that has the first `seen` entries of the record `epoch`:
 *   {epoch, status, size, endedAt, digest, expiresAt, tail, manifest ('' where the reader has it), the index of the first
 *   entry that follows, {entry, ...}}.
 */
export const READ_LUA = `${STAMP_LUA}
-- The answer to a record that a newer version wrote: it stays as it is.
local function mustKnowVersion()
  local version = redis.call('HGET', keys.upload, 'version')
  if version and version ~= '${RECORD_VERSION}' then
    error({ err = 'HOLDFASTVERSION The record of an upload in Redis has version ' .. version ..
      ', and this Holdfast knows version ${RECORD_VERSION}: run the version that wrote it, or a newer one. Nothing was changed.' })
  end
end

local function readRecord()
  mustKnowVersion()
  local f = redis.call('HMGET', keys.upload, 'epoch', 'server', 'ready', 'count', 'run', 'highest', 'highestSize',
    'chunkSize', 'status', 'size', 'endedAt', 'digest', 'expiresAt', 'tail')
  if not f[1] then return nil end
  local record = {
    epoch = f[1], server = f[2], ready = f[3], count = tonumber(f[4]), run = tonumber(f[5]), highest = tonumber(f[6]),
    highestSize = tonumber(f[7]), chunkSize = tonumber(f[8]), status = f[9], size = f[10], endedAt = f[11],
    digest = f[12], expiresAt = f[13], tail = f[14]
  }
  if redis.call('LLEN', keys.entries) ~= record.count then return nil end
  if record.count > 0 and redis.call('EXISTS', keys.index) == 0 then return nil end
  return record
end

local function readCurrent()
  local record = readRecord()
  if record and record.ready == '1' and record.server == serverStamp() then return record end
  return nil
end

local function view(record, epoch, seen)
  local knows = record.epoch == epoch
  local from = knows and tonumber(seen) or 0
  return {
    record.epoch, record.status, record.size, record.endedAt, record.digest, record.expiresAt, record.tail,
    knows and '' or redis.call('HGET', keys.upload, 'manifest'), from,
    from < record.count and redis.call('LRANGE', keys.entries, from, -1) or {}
  }
end
`

/**
 * How a record is changed; put after {@link READ_LUA}. Nothing is written before `save`, so that a script may still refuse.
 * No function walks the chunks: what the rules ask about them is counted as they come.
 *
 * - `begin(record)`: makes it one that can be changed.
 * - `add(record, entry)`: {@link Ledger.add}, an entry as text.
 * - `setTail(record, tail)`: {@link Ledger.setTail}, a tail as text.
 * - `extend(record, expiresAt)`: moves its expiry on, never back.
 * - `save(record)`: writes it, and moves the time at which Redis drops the record past the upload's expiry and, for one
 *   that ended, past the day in which its tombstone answers.
 */
export const WRITE_LUA = `
-- Up to 2^53: Lua by itself writes 1e+15.
local function decimal(number)
  return string.format('%.0f', number)
end

-- An hour more than the day in which a tombstone answers, ms.
local KEEP_MS = 90000000

local function begin(record)
  record.added, record.numbers, record.texts = {}, {}, {}
  local number, size = string.match(record.tail, '^(%S+) (%S+)')
  record.tailNumber, record.tailSize = tonumber(number), tonumber(size)
end

local function has(record, number)
  return record.added[number] or redis.call('GETBIT', keys.index, number) == 1
end

-- Over what is being added one by one, over what is stored in one step: a late first chunk may join thousands.
local function advance(record)
  while true do
    if record.added[record.run] then
      record.run = record.run + 1
    elseif redis.call('GETBIT', keys.index, record.run) == 1 then
      local clear = redis.call('BITPOS', keys.index, 0, record.run, -1, 'BIT')
      record.run = clear >= 0 and clear or redis.call('STRLEN', keys.index) * 8
    else
      return
    end
  end
end

local function add(record, text)
  local number, size = string.match(text, '^(%S+) (%S+)')
  number, size = tonumber(number), tonumber(size)
  if has(record, number) then return end
  record.added[number] = true
  table.insert(record.numbers, number)
  table.insert(record.texts, text)
  record.count = record.count + 1
  if number > record.highest then record.highest, record.highestSize = number, size end
  advance(record)
  if record.tailNumber and record.tailNumber < record.run then
    record.tail, record.tailNumber, record.tailSize = '', nil, nil
  end
end

local function setTail(record, text)
  local number, size = string.match(text, '^(%S+) (%S+)')
  number, size = tonumber(number), tonumber(size)
  if number ~= record.run or size <= 0 then return end
  if record.tailSize and size <= record.tailSize then return end
  record.tail, record.tailNumber, record.tailSize = text, number, size
end

local function extend(record, expiresAt)
  if tonumber(expiresAt) > tonumber(record.expiresAt) then record.expiresAt = expiresAt end
end

-- First the entries: where a step fails there, the record has not as many as it counts, and is not believed any more.
local function save(record)
  for i = 1, #record.texts, 1000 do
    redis.call('RPUSH', keys.entries, unpack(record.texts, i, math.min(i + 999, #record.texts)))
  end
  for _, number in ipairs(record.numbers) do redis.call('SETBIT', keys.index, number, 1) end
  redis.call('HSET', keys.upload, 'epoch', record.epoch, 'server', record.server, 'ready', record.ready,
    'count', decimal(record.count), 'run', decimal(record.run), 'highest', decimal(record.highest),
    'highestSize', decimal(record.highestSize), 'status', record.status, 'size', record.size,
    'endedAt', record.endedAt, 'digest', record.digest, 'expiresAt', record.expiresAt, 'tail', record.tail)
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local dropAt = decimal(math.min(math.max(tonumber(record.expiresAt), now) + KEEP_MS, 9007199254740991))
  redis.call('PEXPIREAT', keys.upload, dropAt)
  redis.call('PEXPIREAT', keys.entries, dropAt)
  redis.call('PEXPIREAT', keys.index, dropAt)
end
`
