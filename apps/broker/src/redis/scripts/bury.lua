-- ARGV[2]: a node that shows no sign of life, ARGV[3]: what it showed last. Returns whether it was this one that buried it.
local refused = fenced()
if refused then return refused end
if call('HGET', P .. 'nodes', ARGV[2]) ~= ARGV[3] then return 0 end
bury(ARGV[2])
return 1
