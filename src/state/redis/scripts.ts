import { LOCK_LUA } from '../../locks/redis/lock-lua.ts'
import { ACQUIRE_ARGUMENTS } from '../../locks/redis/lock-scripts.ts'
import { RedisScript } from '../../redis/script.ts'
import { READ_LUA, RECORD_VERSION, STAMP_LUA, WRITE_LUA } from './record-lua.ts'
import { RULES_LUA } from './rules-lua.ts'

/*
 * KEYS    upload, entries, index
 * ARGV    the epoch the reader has read of ('' none), how many entries it has
 * returns a view; nil where nothing is known that may be believed
 */
export const FIND = new RedisScript(`
local keys = { upload = KEYS[1], entries = KEYS[2], index = KEYS[3] }
${READ_LUA}
local record = readCurrent()
return record and view(record, ARGV[1], ARGV[2]) or false`)

/*
 * KEYS    the lock; upload, entries, index
 * ARGV    those of the lock; the epoch the reader has read of, how many entries it has
 * returns the lock's reply; where it was granted a view follows, or nil
 */
export const LOCK = new RedisScript(`
local keys = { upload = KEYS[2], entries = KEYS[3], index = KEYS[4] }
${LOCK_LUA}${READ_LUA}
mustKnowVersion()
local reply = locks.acquire(KEYS[1], locks.now(), ARGV)
if locks.holds(reply) then
  local record = readCurrent()
  reply[#reply + 1] = record and view(record, ARGV[${ACQUIRE_ARGUMENTS + 1}], ARGV[${ACQUIRE_ARGUMENTS + 2}]) or false
end
return reply`)

/*
 * KEYS    the lock; upload, entries, index
 * ARGV    the lock's token ('' none), 1 where it is given back, the new expiry, the epoch the reader has read of, how many
 *         entries it has; from 6 on the changes
 * returns {1, view}; nil where nothing is known that may be believed; else a refusal, {code, facts...}, -1: not the live lock
 */
export const COMMIT = new RedisScript(`
local keys = { upload = KEYS[2], entries = KEYS[3], index = KEYS[4] }
${LOCK_LUA}${READ_LUA}${WRITE_LUA}${RULES_LUA}
local now = locks.now()
if ARGV[1] ~= '' and not locks.isLive(KEYS[1], ARGV[1], now) then return { -1 } end
local record = readCurrent()
if not record then return false end
begin(record)
local refusal = applyAll(record, 6)
if refusal then return refusal end
extend(record, ARGV[3])
save(record)
if ARGV[2] == '1' then locks.release(KEYS[1], now, ARGV[1]) end
return { 1, view(record, ARGV[4], ARGV[5]) }`)

/*
 * Marks the beginning of a merge. The mark is lost with all else that is forgotten, and is worth nothing in another life of
 * the server: then what storage said may be older than what is missing here.
 *
 * KEYS    merge
 * ARGV    a new mark, how long it stays, ms
 * returns the mark: that of a merge which began before, where there is one
 */
export const BEGIN_MERGE = new RedisScript(`
${STAMP_LUA}
local stamp = serverStamp()
local mark, standing = string.match(redis.call('GET', KEYS[1]) or '', '^(%S+) (.*)$')
if standing ~= stamp then mark = ARGV[1] end
redis.call('SET', KEYS[1], mark .. ' ' .. stamp, 'PX', ARGV[2])
return mark`)

/*
 * Merges a part of what storage knows. A large ledger comes in several calls; until the last one the record is not
 * believed, unless it was before: then readers see true entries of it earlier, and that is all. Two who merge at once
 * add to the same record, and the first to end has given all it has.
 *
 * KEYS    upload, entries, index, merge
 * ARGV    the epoch that the first call answered with ('' in the first call), the epoch of a record that must begin anew,
 *         1 in the last call, manifest, chunk size, size, status, when it ended, digest, expiry, tail, the epoch the
 *         reader has read of, how many entries it has, the mark of the merge ('' none); from 15 on entries
 * returns {epoch}; {epoch, view} in the last call; nil where it is not the record any more that the first call met; 0 where
 *         this server has forgotten something since the merge began
 */
export const ADOPT = new RedisScript(`
local keys = { upload = KEYS[1], entries = KEYS[2], index = KEYS[3] }
${READ_LUA}${WRITE_LUA}
local RANK = { initiated = 0, uploading = 1, completing = 2, expired = 3, failed = 4, uploaded = 5, cancelled = 6 }
local stamp, record = serverStamp(), readRecord()
if ARGV[14] ~= '' and redis.call('GET', KEYS[4]) ~= ARGV[14] .. ' ' .. stamp then return 0 end
if ARGV[1] ~= '' then
  if not record or record.epoch ~= ARGV[1] or record.server ~= stamp then return false end
elseif not record then
  redis.call('DEL', keys.upload, keys.entries, keys.index)
  redis.call('HSET', keys.upload, 'version', '${RECORD_VERSION}', 'manifest', ARGV[4], 'chunkSize', ARGV[5])
  record = { epoch = ARGV[2], server = stamp, ready = '0', count = 0, run = 0, highest = -1, highestSize = 0,
    chunkSize = tonumber(ARGV[5]), status = 'initiated', size = '', endedAt = '', digest = '', expiresAt = '0', tail = '' }
elseif record.server ~= stamp then
  -- What others have read of it may be more than it has kept.
  record.epoch, record.server, record.ready = ARGV[2], stamp, '0'
end
begin(record)
for i = 15, #ARGV do add(record, ARGV[i]) end
if ARGV[3] ~= '1' then
  save(record)
  return { record.epoch }
end
local size, status, endedAt, digest, expiresAt, tail = unpack(ARGV, 6, 11)
if tail ~= '' then setTail(record, tail) end
if record.size == '' then record.size = size end
if record.digest == '' then record.digest = digest end
if RANK[status] > RANK[record.status] then
  record.status = status
  if endedAt ~= '' then record.endedAt = endedAt end
elseif record.endedAt == '' then
  record.endedAt = endedAt
end
extend(record, expiresAt)
record.ready = '1'
save(record)
return { record.epoch, view(record, ARGV[12], ARGV[13]) }`)

/*
 * Whether writes are taken, by the same way as those of an upload.
 *
 * KEYS    a key of its own
 * ARGV    how long it stays, ms
 * returns 1
 */
export const CHECK = new RedisScript(`
redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
return 1`)
