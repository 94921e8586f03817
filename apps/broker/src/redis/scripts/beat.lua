-- A node lives. ARGV[2]: its beats, ARGV[3]: how far it has read the log, ARGV[4]: entries of the log that the slowest may be behind.
-- Returns all nodes, and whether a dead one owes anything.
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
if call('XLEN', P .. 'log') > tonumber(ARGV[4]) then bury(slowest) end
return { nodes, call('HLEN', P .. 'left') }
