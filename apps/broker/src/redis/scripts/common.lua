-- In front of every script. KEYS[1]: what all keys begin with; ARGV[1]: the node that asks.
--
--     nodes             hash    node: "beats position-in-the-log"
--     log               stream  what every node must hear, in one order
--     version           number  of the last change that decides who receives a message
--     changed           list    what changed with each version, the last one first: "length-of-session session filter"
--     sessions          hash    session: owner, JSON
--     filters:SESSION   hash    topic filter: its options, JSON
--     retained          hash    topic: retained message
--     shares:messages   hash    identity, by role and id: how many messages are retained of it
--     shares:bytes      hash    identity: what they cost; "": what all cost, the brokers' own included
--     holders           hash    session: the node where its client is connected
--     wanted            hash    session: the node that waits for it
--     held:NODE         hash    session: the id of its client, if that is a device, or nothing
--     wills:NODE        hash    session: the will of its client
--     left              hash    what a dead node owes: "will SESSION NODE": will, "presence ID": nothing
--     online:ID         set     sessions of a device whose clients are connected
--     queue:SESSION     hash    packet identifier: message that waits, or PUBREL
--     order:SESSION     zset    packet identifier by sequence number
--     state:SESSION     hash    bytes, last packet identifier, when its client left, what it may have been sent
--     incoming:SESSION  set     packet identifiers of QoS 2 messages whose PUBREL is due
--     sequence, bytes   numbers of the last message, and of what waits for all sessions
--     connections:ID    hash    node: open connections of this identity, by role and id
--     connects:ID       number  when it may have opened as many at once as it may again, in milliseconds
--     sent:ID           hash    the same for messages, bytes and topic filters
--     round:NODE        number  messages of older rounds come out of their order

local call = redis.call
local P, me = KEYS[1] .. ':', ARGV[1]
-- What a message costs beyond its record, as in memory.
local overhead = 196

-- A node that was declared dead writes nothing any more, however late it finds out.
local function fenced()
  if call('HEXISTS', P .. 'nodes', me) == 1 then return nil end
  return redis.error_reply('FENCED this node is not one of those that share the store')
end

local function tell(...)
  return call('XADD', P .. 'log', '*', ...)
end

local function last()
  local entries = call('XREVRANGE', P .. 'log', '+', '-', 'COUNT', 1)
  return entries[1] and entries[1][1] or '0-0'
end

local function account(key, bytes)
  -- Lua has a negative nought, which Redis does not take for a number.
  if bytes == 0 then return end
  call('HINCRBY', P .. 'state:' .. key, 'bytes', bytes)
  call('INCRBY', P .. 'bytes', bytes)
end

-- Whose a retained message is, and what it costs: its topic, its payload and 200, as in memory.
local function shareOf(record)
  local name = string.byte(record, 1)
  return string.sub(record, 2, 1 + name), #record - 1 - name + 191
end

-- What is retained of an identity has changed, and with it what is retained of all.
local function share(owner, messages, bytes)
  local function add(counts, field, by)
    if by ~= 0 and call('HINCRBY', P .. counts, field, by) == 0 then call('HDEL', P .. counts, field) end
  end
  add('shares:bytes', '', bytes)
  if owner == '' then return end
  add('shares:messages', owner, messages)
  add('shares:bytes', owner, bytes)
end

-- Takes a message out of the queue of a session. Returns its record.
local function take(key, id)
  local record = call('HGET', P .. 'queue:' .. key, id)
  if not record then return nil end
  call('HDEL', P .. 'queue:' .. key, id)
  call('ZREM', P .. 'order:' .. key, id)
  account(key, -(#record + overhead))
  return record
end

-- The oldest message that nobody can have begun to receive: packet identifier and record. Of a session whose client is connected
-- (or was when its node died) the first ones may have been sent, as many as may be unacknowledged.
local function oldest(key, unacknowledged)
  local order, sent = P .. 'order:' .. key, call('HGET', P .. 'state:' .. key, 'sent') or '0'
  local id
  if sent == 'all' then
    id = call('ZRANGE', order, unacknowledged, unacknowledged)[1]
  else
    id = call('ZRANGEBYSCORE', order, '(' .. sent, '+inf', 'LIMIT', 0, 1)[1]
  end
  if not id then return nil end
  return id, call('HGET', P .. 'queue:' .. key, id)
end

-- A change that decides who receives a message: of one topic filter of a session or, where it is empty, of all of the session.
-- Returns its version.
local function change(key, filter)
  call('LPUSH', P .. 'changed', #key .. ' ' .. key .. filter)
  call('LTRIM', P .. 'changed', 0, 9999)
  return call('INCR', P .. 'version')
end

-- Ends a session and everything in it. `teller`: the node that has struck it off its memory; "": none has.
local function discard(key, teller)
  local messages = call('HLEN', P .. 'queue:' .. key)
  account(key, -(tonumber(call('HGET', P .. 'state:' .. key, 'bytes')) or 0))
  call('DEL', P .. 'queue:' .. key, P .. 'order:' .. key, P .. 'state:' .. key, P .. 'incoming:' .. key)
  call('DEL', P .. 'filters:' .. key)
  if call('HDEL', P .. 'sessions', key) == 1 then
    tell('t', 'end', 'n', teller, 'k', key, 'v', change(key, ''))
  end
  return messages
end

-- The client of a session is no longer connected to `node`.
local function free(node, key)
  local id = call('HGET', P .. 'held:' .. node, key)
  call('HDEL', P .. 'held:' .. node, key)
  if call('HGET', P .. 'holders', key) ~= node then return nil end
  local heir = call('HGET', P .. 'wanted', key)
  call('HDEL', P .. 'wanted', key)
  if heir and id and heir ~= node and call('HEXISTS', P .. 'nodes', heir) == 1 then
    -- Handed over without a moment in which nobody has it: the device stays online.
    call('HSET', P .. 'holders', key, heir)
    call('HSET', P .. 'held:' .. heir, key, id)
  else
    call('HDEL', P .. 'holders', key)
    -- Of who is gone before its node knew what to write, or with it.
    local state = P .. 'state:' .. key
    if call('HEXISTS', P .. 'sessions', key) == 1 and (call('HGET', state, 'left') or '') == '' then
      local now = call('TIME')
      call('HSET', state, 'left', string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000)))
    end
    if id then call('SREM', P .. 'online:' .. id, key) end
  end
  return id
end

-- Whatever a node held is free, and what it owes is left to the others.
local function bury(dead)
  call('HDEL', P .. 'nodes', dead)
  local held = call('HGETALL', P .. 'held:' .. dead)
  for i = 1, #held, 2 do
    local key, id = held[i], held[i + 1]
    free(dead, key)
    if id ~= '' and call('SCARD', P .. 'online:' .. id) == 0 then
      call('HSET', P .. 'left', 'presence ' .. id, '')
    end
  end
  local wills = call('HGETALL', P .. 'wills:' .. dead)
  for i = 1, #wills, 2 do call('HSET', P .. 'left', 'will ' .. wills[i] .. ' ' .. dead, wills[i + 1]) end
  local wanted = call('HGETALL', P .. 'wanted')
  for i = 1, #wanted, 2 do
    if wanted[i + 1] == dead then call('HDEL', P .. 'wanted', wanted[i]) end
  end
  call('DEL', P .. 'held:' .. dead, P .. 'wills:' .. dead, P .. 'round:' .. dead)
  tell('t', 'dead', 'n', me, 'k', dead)
end
