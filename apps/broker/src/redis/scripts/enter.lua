-- An identity connects. ARGV[2]: its name, ARGV[3]: its connections on this node with this one, ARGV[4]: how many it may have,
-- ARGV[5], ARGV[6]: how many it may open a second, and at once, ARGV[7]: milliseconds until the count is forgotten.
-- Returns nothing, or why it may not.
local refused = fenced()
if refused then return refused end
local key, rate = P .. 'connections:' .. ARGV[2], P .. 'connects:' .. ARGV[2]
local counts, open = call('HGETALL', key), tonumber(ARGV[3])
for i = 1, #counts, 2 do
  if counts[i] ~= me then
    if call('HEXISTS', P .. 'nodes', counts[i]) == 1 then
      open = open + tonumber(counts[i + 1])
    else
      call('HDEL', key, counts[i])
    end
  end
end
if open > tonumber(ARGV[4]) then return 'too-many-connections' end
local time = call('TIME')
local now, perSecond = time[1] * 1000 + time[2] / 1000, tonumber(ARGV[5])
local fullAt = math.max(tonumber(call('GET', rate) or '0'), now) + 1000 / perSecond
if fullAt - now > ARGV[6] * 1000 / perSecond then return 'connect-rate' end
call('SET', rate, string.format('%.3f', fullAt), 'PX', math.ceil(fullAt - now))
call('HSET', key, me, ARGV[3])
call('PEXPIRE', key, ARGV[7])
return ''
