-- ARGV[2]: the name of an identity, ARGV[3], ARGV[4]: messages and bytes that it has sent, ARGV[5], ARGV[6]: how many it may a second.
-- Returns in how many milliseconds each of its buckets is full again.
local refused = fenced()
if refused then return refused end
local key, time = P .. 'sent:' .. ARGV[2], call('TIME')
local now, known = time[1] * 1000 + time[2] / 1000, call('HMGET', key, 'messages', 'bytes')
local messages = math.max(tonumber(known[1] or '0'), now) + ARGV[3] * 1000 / ARGV[5]
local bytes = math.max(tonumber(known[2] or '0'), now) + ARGV[4] * 1000 / ARGV[6]
call('HSET', key, 'messages', string.format('%.3f', messages), 'bytes', string.format('%.3f', bytes))
call('PEXPIRE', key, math.ceil(math.max(messages, bytes) - now) + 1)
return { string.format('%.3f', messages - now), string.format('%.3f', bytes - now) }
