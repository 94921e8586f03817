-- ARGV[2]: the name of an identity, ARGV[3]: its connections on this node, ARGV[4]: milliseconds until the count is forgotten.
local refused = fenced()
if refused then return refused end
local key = P .. 'connections:' .. ARGV[2]
if ARGV[3] == '0' then return call('HDEL', key, me) end
call('HSET', key, me, ARGV[3])
return call('PEXPIRE', key, ARGV[4])
