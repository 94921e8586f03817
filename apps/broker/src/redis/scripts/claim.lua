-- A client connects. ARGV[2]: its session, ARGV[3]: the id of a device, or nothing, ARGV[4]: 1 when its session is stored.
-- Returns "held", or "ok" with the end of the log, the sequence, what its last client may have been sent, the queue, the QoS 2 window.
local refused = fenced()
if refused then return refused end
local key, id, isStored = ARGV[2], ARGV[3], ARGV[4] == '1'
local holder = call('HGET', P .. 'holders', key)
if holder and holder ~= me and call('HEXISTS', P .. 'nodes', holder) == 1 then
  call('HSET', P .. 'wanted', key, me)
  tell('t', 'ask', 'n', me, 'k', key, 'h', holder)
  return { 'held' }
end
if call('HGET', P .. 'wanted', key) == me then call('HDEL', P .. 'wanted', key) end
call('HSET', P .. 'holders', key, me)
call('HSET', P .. 'held:' .. me, key, id)
if id ~= '' then call('SADD', P .. 'online:' .. id, key) end
local sequence = call('GET', P .. 'sequence') or '0'
if not isStored then return { 'ok', last(), sequence, '', {}, {} } end
local sent = call('HGET', P .. 'state:' .. key, 'sent') or '0'
-- Of a session that is not there yet nothing is kept before its node opens it.
if call('HEXISTS', P .. 'sessions', key) == 1 then
  call('HSET', P .. 'state:' .. key, 'left', '', 'sent', 'all')
end
local order, queue = call('ZRANGE', P .. 'order:' .. key, 0, -1, 'WITHSCORES'), {}
for i = 1, #order, 2 do
  queue[#queue + 1] = order[i + 1]
  queue[#queue + 1] = call('HGET', P .. 'queue:' .. key, order[i])
end
return { 'ok', last(), sequence, sent, queue, call('SMEMBERS', P .. 'incoming:' .. key) }
