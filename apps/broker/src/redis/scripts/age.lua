-- Looks after a session whose client is away. ARGV[2]: session; ARGV[3]: messages up to this time (ms) are too old; ARGV[4]: so is the
-- session when its client left before; ARGV[5]: how many may be unacknowledged. Returns messages dropped, and with the session.
local refused = fenced()
if refused then return refused end
local key = ARGV[2]
if call('HEXISTS', P .. 'holders', key) == 1 then return { 0, 0 } end
local left = tonumber(call('HGET', P .. 'state:' .. key, 'left') or '')
if left and left < tonumber(ARGV[4]) then return { 0, discard(key, '') } end
local dropped = 0
while true do
  local id, record = oldest(key, tonumber(ARGV[5]))
  if not id or string.byte(record, 1) ~= 0 then break end
  local time = 0
  for i = 6, 11 do time = time * 256 + string.byte(record, i) end
  if time > tonumber(ARGV[3]) then break end
  take(key, id)
  dropped = dropped + 1
end
return { dropped, 0 }
