-- Changes of what this node holds, in their order: ARGV from 2 on are kind, name, and two values each. Those of a session
-- that has gone to another node are left out. Returns the version before and after, and how many were left out.
local refused = fenced()
if refused then return refused end
local before = call('GET', P .. 'version') or '0'
local leftOut = 0

local kinds = {}
-- Whose it is; its filters follow one by one, and in `leave` when its client left and what it may have been sent.
function kinds.session(key, owner)
  if call('HGET', P .. 'sessions', key) == owner then return end
  call('HSET', P .. 'sessions', key, owner)
  tell('t', 'session', 'n', me, 'k', key, 'd', owner, 'v', change(key, ''))
end
-- No options: it has been given up.
function kinds.filter(key, filter, options)
  local filters = P .. 'filters:' .. key
  if (call('HGET', filters, filter) or '') == options then return end
  if options == '' then call('HDEL', filters, filter) else call('HSET', filters, filter, options) end
  tell('t', 'filter', 'n', me, 'k', key, 'f', filter, 'd', options, 'v', change(key, filter))
end
function kinds.leave(key, left, sent)
  call('HSET', P .. 'state:' .. key, 'left', left, 'sent', sent)
end
kinds['end'] = function(key) discard(key, me) end
-- The client has a QoS 2 message: its PUBREL takes its place.
function kinds.release(key, sequence, record)
  local id = call('ZRANGEBYSCORE', P .. 'order:' .. key, sequence, sequence)[1]
  if not id then return end
  local was = call('HGET', P .. 'queue:' .. key, id)
  call('HSET', P .. 'queue:' .. key, id, record)
  account(key, #record - #was)
end
function kinds.remove(key, sequence)
  local id = call('ZRANGEBYSCORE', P .. 'order:' .. key, sequence, sequence)[1]
  if id then take(key, id) end
end
function kinds.incoming(key, id) call('SADD', P .. 'incoming:' .. key, id) end
function kinds.complete(key, id) call('SREM', P .. 'incoming:' .. key, id) end
function kinds.will(key, record) call('HSET', P .. 'wills:' .. me, key, record) end
function kinds.unwill(key) call('HDEL', P .. 'wills:' .. me, key) end
function kinds.settle(name) call('HDEL', P .. 'left', name) end
function kinds.free(key)
  if call('HGET', P .. 'wanted', key) == me then call('HDEL', P .. 'wanted', key) end
  if free(me, key) then tell('t', 'free', 'n', me, 'k', key) end
end

local anybodys = { settle = true, free = true }
for i = 2, #ARGV, 4 do
  local kind, key = ARGV[i], ARGV[i + 1]
  if anybodys[kind] or call('HGET', P .. 'holders', key) == me then
    kinds[kind](key, ARGV[i + 2], ARGV[i + 3])
  else
    leftOut = leftOut + 1
  end
end
return { before, call('GET', P .. 'version') or '0', leftOut }
