/**
 * The rules of {@link LockQueue}, in Lua, so that they are decided in Redis, in one place for all processes. This is a
 * table of functions, `locks`, without a main part; a script is this text and a few lines behind it. Every function
 * works on one upload and leaves it at rest: what has expired is gone, everything is granted that can be, and the
 * processes of those who were granted or asked have been told.
 *
 * The key is a hash, gone soon after the last lease in it:
 *
 * - `h:<token>` who holds: `leaseEnd|scope|chunks|ask|moved|channel`
 * - `w:<token>` who waits: `leaseEnd|ticket|scope|chunk|asks|ask|channel`
 * - `m:<token>` the chunk a holder waits for: `ticket|chunk|move`
 * - `n` the last ticket
 *
 * `leaseEnd` is in ms since the epoch, by Redis' clock; nothing counts after it. A token has one lease, whether it waits
 * or holds: being granted does not change it. `scope` is `a`, `c` or `w`; `chunks` are numbers with commas between them;
 * `ask` is `-` for one who cannot be asked, `?` for one who can, `!` for one who has been; `moved` is the last move that
 * was granted, by the number its owner gave it; `channel` is where its process listens, and the rest of the value.
 *
 * Messages: `g|token` it is granted, `a|token` it is asked to let go, `m|token|move` it has its chunk.
 *
 * For other scripts: `locks.now()`, `locks.isLive(key, token, now)`, `locks.acquire(key, now, ARGV)` with the arguments
 * of `acquireArgs` first in ARGV, `locks.holds(reply)` for what that returned, `locks.release(key, now, token)`.
 */
export const LOCK_LUA = String.raw`
local locks = {}
do
  function locks.now()
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
  end

  function locks.isLive(key, token, now)
    local value = redis.call('HGET', key, 'h:' .. token)
    return value and tonumber(string.match(value, '^%d+')) > now or false
  end

  local function read(field, value)
    local kind, token = string.match(field, '^([hwm]):(.*)$')
    local one = { kind = kind, token = token }
    if kind == 'h' then
      local ends, chunks
      ends, one.scope, chunks, one.ask, one.moved, one.channel =
        string.match(value, '^(%d+)|(%a)|([%d,]*)|(.)|(%d+)|(.*)$')
      one.ends, one.chunks = tonumber(ends), {}
      for number in string.gmatch(chunks, '%d+') do one.chunks[number] = true end
    elseif kind == 'w' then
      local ends, ticket
      ends, ticket, one.scope, one.chunk, one.asks, one.ask, one.channel =
        string.match(value, '^(%d+)|(%d+)|(%a)|(%d*)|(.)|(.)|(.*)$')
      one.ends, one.ticket = tonumber(ends), tonumber(ticket)
    elseif kind == 'm' then
      local ticket
      ticket, one.chunk, one.move = string.match(value, '^(%d+)|(%d+)|(%d+)$')
      one.ticket = tonumber(ticket)
    end
    return one
  end

  local function write(key, one)
    local value
    local ends = one.ends and string.format('%.0f', one.ends)
    if one.kind == 'h' then
      local chunks = {}
      for number in pairs(one.chunks) do chunks[#chunks + 1] = number end
      value = { ends, one.scope, table.concat(chunks, ','), one.ask, one.moved, one.channel }
    elseif one.kind == 'w' then
      value = { ends, one.ticket, one.scope, one.chunk, one.asks, one.ask, one.channel }
    else
      value = { one.ticket, one.chunk, one.move }
    end
    redis.call('HSET', key, one.kind .. ':' .. one.token, table.concat(value, '|'))
  end

  -- Reads an upload's locks, without those whose lease has ended. The callers hear from the reply, not by a message.
  local function open(key, now, callers)
    local queue = { key = key, now = now, live = {}, line = {}, mover = nil, callers = callers }
    local moves, fields = {}, redis.call('HGETALL', key)
    for i = 1, #fields, 2 do
      local one = read(fields[i], fields[i + 1])
      if one.kind == 'm' then
        moves[#moves + 1] = one
      elseif one.kind and one.ends <= now then
        redis.call('HDEL', key, fields[i])
      elseif one.kind == 'h' then
        queue.live[one.token] = one
      elseif one.kind == 'w' then
        queue.line[#queue.line + 1] = one
      end
    end
    for _, move in ipairs(moves) do
      if queue.live[move.token] then
        queue.line[#queue.line + 1], queue.mover = move, move
      else
        redis.call('HDEL', key, 'm:' .. move.token)
      end
    end
    table.sort(queue.line, function(a, b) return a.ticket < b.ticket end)
    return queue
  end

  local function place(queue, kind, token)
    for i, claim in ipairs(queue.line) do
      if claim.kind == kind and claim.token == token then return i, claim end
    end
  end

  local function withdraw(queue, kind, token)
    local i, claim = place(queue, kind, token)
    if not i then return end
    table.remove(queue.line, i)
    if queue.mover == claim then queue.mover = nil end
    redis.call('HDEL', queue.key, kind .. ':' .. token)
  end

  -- The rules of exclusion, all of them.
  local function excludes(holder, claim)
    if claim.chunk ~= '' and holder.chunks[claim.chunk] then return true end
    if claim.kind == 'm' then return false end
    local held, wanted = holder.scope, claim.scope
    return held == 'w' or wanted == 'w' or (held == 'a' and wanted == 'a')
  end

  local function isTaken(queue, claim)
    for _, holder in pairs(queue.live) do
      if excludes(holder, claim) then return true end
    end
    return false
  end

  -- A message is only a hint, and whoever waits looks again by itself: one that may not be sent breaks nothing.
  local function tell(queue, holder, message)
    if not queue.callers[holder.token] then redis.pcall('PUBLISH', holder.channel, message) end
  end

  local function ask(queue, holder)
    if holder.ask ~= '?' then return end
    holder.ask = '!'
    write(queue.key, holder)
    tell(queue, holder, 'a|' .. holder.token)
  end

  local function grant(queue, claim)
    local holder
    withdraw(queue, claim.kind, claim.token)
    if claim.kind == 'm' then
      holder = queue.live[claim.token]
      holder.chunks[claim.chunk], holder.moved = true, claim.move
      tell(queue, holder, 'm|' .. claim.token .. '|' .. claim.move)
    else
      holder = { kind = 'h', token = claim.token, ends = claim.ends, scope = claim.scope, chunks = {} }
      holder.ask, holder.moved, holder.channel = claim.ask, '0', claim.channel
      if claim.chunk ~= '' then holder.chunks[claim.chunk] = true end
      queue.live[holder.token] = holder
      tell(queue, holder, 'g|' .. claim.token)
    end
    write(queue.key, holder)
    for _, waiting in ipairs(queue.line) do
      if waiting.asks == '1' and excludes(holder, waiting) then return ask(queue, holder) end
    end
  end

  local function settle(queue)
    local wholeWaits, i = false, 1
    while queue.line[i] do
      local claim = queue.line[i]
      -- Nobody overtakes a waiting whole but the append it waits for.
      if wholeWaits and not queue.mover then return end
      if (wholeWaits and claim.kind ~= 'm') or isTaken(queue, claim) then
        if claim.scope == 'w' then wholeWaits = true end
        i = i + 1
      else
        grant(queue, claim)
      end
    end
  end

  -- Puts the key's own end right. The first and the last lease that ends, or nil.
  local function close(queue)
    local first, last
    local function count(one)
      if not one.ends then return end
      if not first or one.ends < first then first = one.ends end
      if not last or one.ends > last then last = one.ends end
    end
    for _, holder in pairs(queue.live) do count(holder) end
    for _, claim in ipairs(queue.line) do count(claim) end
    if last then
      redis.call('PEXPIRE', queue.key, last - queue.now + 1000)
    else
      redis.call('DEL', queue.key)
    end
    return first, last
  end

  -- How a token stands, for its owner: the sum of 1 it waits, 2 it holds, 4 it was asked; and its last granted move.
  local function standing(queue, token)
    local holder = queue.live[token]
    if holder then return 2 + (holder.ask == '!' and 4 or 0), tonumber(holder.moved) end
    return place(queue, 'w', token) and 1 or 0, 0
  end

  -- standing, move, ms until the first lease ends
  local function reply(queue, token)
    local first = close(queue)
    local stands, moved = standing(queue, token)
    return { stands, moved, first and first - queue.now or 0 }
  end

  function locks.holds(reply)
    return reply[1] >= 2
  end

  -- Enters a claim once, however often this is called.
  function locks.acquire(key, now, args)
    local token, leaseMs, scope, chunk, asks, askable, waits, channel = unpack(args, 1, 8)
    local queue = open(key, now, { [token] = true })
    local _, claim = place(queue, 'w', token)
    local known = queue.live[token] or claim
    if known then
      known.ends = now + leaseMs
      write(key, known)
      settle(queue)
      return reply(queue, token)
    end
    claim = { kind = 'w', token = token, ends = now + leaseMs, scope = scope, chunk = chunk }
    claim.asks, claim.ask, claim.channel = asks, askable, channel
    table.insert(queue.line, claim)
    settle(queue)
    if not queue.live[token] then
      if asks == '1' then
        for _, holder in pairs(queue.live) do
          if excludes(holder, claim) then ask(queue, holder) end
        end
      end
      if waits == '1' then
        claim.ticket = redis.call('HINCRBY', key, 'n', 1)
        write(key, claim)
      else
        withdraw(queue, 'w', token)
      end
    end
    return reply(queue, token)
  end

  -- Gives back all chunks of a holder but those to keep; then, where number is not '', it takes that one.
  function locks.move(key, now, token, keep, number, move, waits)
    local queue = open(key, now, { [token] = true })
    local holder = queue.live[token]
    if holder and (number == '' or holder.moved ~= move) then
      withdraw(queue, 'm', token)
      local kept = {}
      for chunk in string.gmatch(keep, '%d+') do kept[chunk] = holder.chunks[chunk] end
      holder.chunks = kept
      write(key, holder)
      if number ~= '' then
        queue.mover = { kind = 'm', token = token, chunk = number, move = move }
        table.insert(queue.line, queue.mover)
      end
      settle(queue)
      if queue.mover and waits == '1' then
        queue.mover.ticket = redis.call('HINCRBY', key, 'n', 1)
        write(key, queue.mover)
      else
        withdraw(queue, 'm', token)
      end
    else
      settle(queue)
    end
    return reply(queue, token)
  end

  -- Gives back one chunk of a holder.
  function locks.drop(key, now, token, number)
    local queue = open(key, now, { [token] = true })
    local holder = queue.live[token]
    if holder and holder.chunks[number] then
      holder.chunks[number] = nil
      write(key, holder)
    end
    settle(queue)
    return reply(queue, token)
  end

  -- Gives leases their full length again. Those of tokens that are gone are not made anew.
  function locks.renew(key, now, leaseMs, tokens)
    local callers, replies = {}, {}
    for _, token in ipairs(tokens) do callers[token] = true end
    local queue = open(key, now, callers)
    for _, one in pairs(queue.live) do
      if callers[one.token] then
        one.ends = now + leaseMs
        write(key, one)
      end
    end
    for _, one in ipairs(queue.line) do
      if one.kind == 'w' and callers[one.token] then
        one.ends = now + leaseMs
        write(key, one)
      end
    end
    settle(queue)
    local first = close(queue)
    for _, token in ipairs(tokens) do
      local stands, moved = standing(queue, token)
      replies[#replies + 1] = stands
      replies[#replies + 1] = moved
    end
    replies[#replies + 1] = first and first - now or 0
    return replies
  end

  -- Gives back all a token holds, and what it waits for. 1: it held; 0: it did not.
  function locks.release(key, now, token)
    local queue = open(key, now, { [token] = true })
    local held = queue.live[token] and 1 or 0
    withdraw(queue, 'w', token)
    withdraw(queue, 'm', token)
    if held == 1 then
      queue.live[token] = nil
      redis.call('HDEL', key, 'h:' .. token)
    end
    settle(queue)
    close(queue)
    return held
  end
end
`
