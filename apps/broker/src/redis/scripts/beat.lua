-- A node lives. ARGV[2]: its beats, ARGV[3]: how far it has read the log, ARGV[4], ARGV[5]: entries of the log that the slowest may be
-- behind, and bytes. Returns all nodes, and whether a dead one owes anything.
local refused = fenced()
if refused then return refused end
call('HSET', P .. 'nodes', me, ARGV[2] .. ' ' .. ARGV[3])
local function split(id)
  local ms, n = string.match(id, '(%d+)-(%d+)$')
  return tonumber(ms), tonumber(n)
end
local nodes = call('HGETALL', P .. 'nodes')
local slowest, position
for i = 1, #nodes, 2 do
  local ms, n = split(nodes[i + 1])
  local firstMs, first = split(position or '99999999999999-0')
  if ms < firstMs or (ms == firstMs and n < first) then
    slowest, position = nodes[i], string.match(nodes[i + 1], '%S+$')
  end
end
-- The entry at the position stays.
call('XTRIM', P .. 'log', 'MINID', position)
local bytes = call('MEMORY', 'USAGE', P .. 'log', 'SAMPLES', 1000) or 0
if call('XLEN', P .. 'log') > tonumber(ARGV[4]) or bytes > tonumber(ARGV[5]) then bury(slowest) end
return { nodes, call('HLEN', P .. 'left') }
