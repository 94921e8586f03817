-- ARGV[2]: the name of an identity, then for each thing that is measured its name, how much of it was sent, how much may be a second.
-- Returns in how many milliseconds each of its buckets is full again, in the same order.
local refused = fenced()
if refused then return refused end
local key, time = P .. 'sent:' .. ARGV[2], call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local latest, answer = now, {}
for i = 3, #ARGV, 3 do
  local known = tonumber(call('HGET', key, ARGV[i]) or '0')
  local fullAt = math.max(known, now) + ARGV[i + 1] * 1000 / ARGV[i + 2]
  call('HSET', key, ARGV[i], string.format('%.3f', fullAt))
  latest = math.max(latest, fullAt)
  answer[#answer + 1] = string.format('%.3f', fullAt - now)
end
call('PEXPIRE', key, math.ceil(latest - now) + 1)
return answer
