import { RedisScript } from '../../redis/script.ts'
import { STAMP_LUA } from './record-lua.ts'

/*
 * An account is a HASH of `bytes at until` by upload, with what all reserve together under `total`, and a ZSET of the
 * uploads by the time at which they were begun. Both are gone a day after the last of them may be dropped.
 */
const ACCOUNT_LUA = `
local DAY_MS = 86400000

local function decimal(number)
  return string.format('%.0f', number)
end

local function parse(text)
  local bytes, at, due = string.match(text, '^(%S+) (%S+) (%S+)$')
  return tonumber(bytes), tonumber(at), tonumber(due)
end

local function total()
  return tonumber(redis.call('HGET', KEYS[1], 'total') or '0')
end

local function count()
  return math.max(0, redis.call('HLEN', KEYS[1]) - 1)
end

local function standing(id)
  local text = redis.call('HGET', KEYS[1], id)
  return text and parse(text) or nil
end

local function drop(id)
  local bytes = standing(id)
  if not bytes then return end
  redis.call('HDEL', KEYS[1], id)
  redis.call('ZREM', KEYS[2], id)
  if count() == 0 then
    redis.call('DEL', KEYS[1], KEYS[2])
  else
    redis.call('HSET', KEYS[1], 'total', decimal(total() - bytes))
  end
end

local function keep(key, time)
  if redis.call('PTTL', key) < 0 then
    redis.call('PEXPIREAT', key, time)
  else
    redis.call('PEXPIREAT', key, time, 'GT')
  end
end

local function put(id, bytes, at, due, atLeast)
  local before = standing(id) or 0
  if atLeast then bytes = math.max(before, bytes) end
  redis.call('HSET', KEYS[1], id, decimal(bytes) .. ' ' .. at .. ' ' .. due, 'total', decimal(total() - before + bytes))
  redis.call('ZADD', KEYS[2], at, id)
  local time = decimal(math.min(tonumber(due) + DAY_MS, 9007199254740991))
  keep(KEYS[1], time)
  keep(KEYS[2], time)
end
`

/*
 * KEYS    account, open
 * ARGV    id, bytes, at, until, 1 where more stays where more is reserved; most uploads, most bytes ('' no limit), now
 * returns nil where it is entered; else {'uploads' or 'bytes', the limit, what others use, what was asked for}
 */
export const RESERVE = new RedisScript(`${ACCOUNT_LUA}
local id, bytes = ARGV[1], tonumber(ARGV[2])

local function excess()
  local mine = standing(id)
  local others = mine and count() - 1 or count()
  if ARGV[6] ~= '' and not mine and others >= tonumber(ARGV[6]) then
    return { 'uploads', ARGV[6], decimal(others), '1' }
  end
  local used = total() - (mine or 0)
  if ARGV[7] ~= '' and bytes > (mine or 0) and used + bytes > tonumber(ARGV[7]) then
    return { 'bytes', ARGV[7], decimal(used), ARGV[2] }
  end
  return nil
end

local refusal = excess()
if refusal then
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    if all[i] ~= 'total' then
      local _, _, due = parse(all[i + 1])
      if due <= tonumber(ARGV[8]) then drop(all[i]) end
    end
  end
  refusal = excess()
end
if refusal then return refusal end
put(id, bytes, ARGV[3], ARGV[4], ARGV[5] == '1')
return false`)

/*
 * KEYS    account, open
 * ARGV    id, bytes, at, until, 1 where more stays where more is reserved
 */
export const ENTER = new RedisScript(`${ACCOUNT_LUA}
put(ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5] == '1')
return false`)

/*
 * KEYS    account, open
 * ARGV    id
 */
export const RELEASE = new RedisScript(`${ACCOUNT_LUA}
drop(ARGV[1])
return false`)

/*
 * KEYS    account, open
 * ARGV    the place behind which to begin, as time and id ('' from the newest on), how many
 * returns {id, `bytes at until`, ...}, the newest first
 */
export const PAGE = new RedisScript(`${ACCOUNT_LUA}
local page, from = {}, 0
while #page < 2 * tonumber(ARGV[3]) do
  local some = redis.call('ZREVRANGEBYSCORE', KEYS[2], ARGV[1] == '' and '+inf' or ARGV[1], '-inf', 'WITHSCORES',
    'LIMIT', from, 100)
  if #some == 0 then break end
  from = from + 100
  for i = 1, #some, 2 do
    local isBehind = ARGV[1] == '' or tonumber(some[i + 1]) < tonumber(ARGV[1]) or some[i] < ARGV[2]
    local text = isBehind and #page < 2 * tonumber(ARGV[3]) and redis.call('HGET', KEYS[1], some[i])
    if text then
      page[#page + 1] = some[i]
      page[#page + 1] = text
    end
  end
end
return page`)

/*
 * KEYS    the walk: HASH, \`walking\` which walk is under way and \`whole\` the life of the server in which one has ended
 * returns 1 where accounts are whole
 */
export const IS_WHOLE = new RedisScript(`${STAMP_LUA}
return redis.call('HGET', KEYS[1], 'whole') == serverStamp() and 1 or 0`)

/*
 * KEYS    the walk
 * ARGV    a name for it
 */
export const BEGIN_WALK = new RedisScript(`${STAMP_LUA}
redis.call('HSET', KEYS[1], 'walking', ARGV[1] .. ' ' .. serverStamp())
return false`)

/*
 * KEYS    the walk
 * ARGV    its name. Another life of the server, or an empty Redis, does not know it any more
 */
export const END_WALK = new RedisScript(`${STAMP_LUA}
if redis.call('HGET', KEYS[1], 'walking') == ARGV[1] .. ' ' .. serverStamp() then
  redis.call('HSET', KEYS[1], 'whole', serverStamp())
end
return false`)
