-- Takes over responsibility for a message, in one piece. ARGV[2]: the version that its receivers were computed from, and how many
-- changes later it may be; or nothing, where no version changes them.
local refused = fenced()
if refused then return refused end
local version, most = string.match(ARGV[2], '^(%d+) (%d+)$')
local round, topic, body, flags = tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6]
local owner, incomingKey, incomingId = ARGV[7], ARGV[8], ARGV[9]
local settles, device, online = ARGV[10], ARGV[11], ARGV[12]
local maxMessages, maxBytes = tonumber(ARGV[13]), tonumber(ARGV[14])
local maxBytesInTotal, unacknowledged = tonumber(ARGV[15]), tonumber(ARGV[16])
-- What may be retained of its owner, and of all; nothing: as much as it likes.
local maxRetained, maxRetainedBytes = tonumber(ARGV[17]), tonumber(ARGV[18])
local maxRetainedInTotal = tonumber(ARGV[19])
local first = 20
local isRetained, isLive = string.find(flags, 'r') ~= nil, string.find(flags, 'l') ~= nil

-- Who receives it was decided by what the node knew. What little has changed since is looked at here; where it is much, the node has
-- to look again, and whatever it has sent after this message has to wait for it.
local current = call('GET', P .. 'version') or '0'
if round < tonumber(call('GET', P .. 'round:' .. me) or '0') then return { 'stale', current } end
local changes = {}
if version and version ~= current then changes = changesSince(version, current, tonumber(most)) end
if not changes then
  call('SET', P .. 'round:' .. me, round + 1)
  return { 'stale', current }
end

if settles ~= '' and call('HDEL', P .. 'left', settles) == 0 then return { 'void' } end
if device ~= '' and (call('SCARD', P .. 'online:' .. device) > 0) ~= (online == '1') then return { 'void' } end
if incomingKey ~= '' then
  if call('HGET', P .. 'holders', incomingKey) ~= me then return { 'lost' } end
  if call('SADD', P .. 'incoming:' .. incomingKey, incomingId) == 0 then return { 'known' } end
end

-- A retained message takes the place of the one before it, whosever that was. Returns whether there is room for it.
local function retain()
  local count = function(counts, name) return tonumber(call('HGET', P .. counts, name) or '0') end
  local was, name, freed = call('HGET', P .. 'retained', topic), nil, 0
  if was then name, freed = shareOf(was) end
  if string.find(flags, 'e') then
    if was then
      call('HDEL', P .. 'retained', topic)
      share(name, -1, -freed)
    end
    return true
  end
  local record = string.char(#owner) .. owner .. body
  local _, size = shareOf(record)
  if maxRetainedInTotal and count('shares:bytes', '') - freed + size > maxRetainedInTotal then return false end
  local isOwn = name == owner
  if maxRetained and count('shares:messages', owner) - (isOwn and 1 or 0) >= maxRetained then return false end
  if maxRetainedBytes and count('shares:bytes', owner) - (isOwn and freed or 0) + size > maxRetainedBytes then
    return false
  end
  call('HSET', P .. 'retained', topic, record)
  if isOwn then
    share(owner, 0, size - freed)
  else
    if was then share(name, -1, -freed) end
    share(owner, 1, size)
  end
  return true
end

if isRetained and isLive and not retain() then return { 'full' } end
local answer = { 'ok' }

-- The reason why there is no room for a message, if there is none.
local function bound(key, size)
  if call('ZCARD', P .. 'order:' .. key) >= maxMessages then return 'queue-messages' end
  local bytes = tonumber(call('HGET', P .. 'state:' .. key, 'bytes') or '0')
  if bytes + size > maxBytes then return 'queue-bytes' end
  if tonumber(call('GET', P .. 'bytes') or '0') + size > maxBytesInTotal then return 'store-bytes' end
  return nil
end

local function append(key, qos)
  local size, dropped = #body + 4 + overhead, {}
  local reason = bound(key, size)
  while reason do
    answer[#answer + 1] = key
    answer[#answer + 1] = reason
    local id = oldest(key, unacknowledged)
    if not id then return { key, 0, 0, 0, dropped } end
    dropped[#dropped + 1] = tonumber(call('ZSCORE', P .. 'order:' .. key, id))
    take(key, id)
    reason = bound(key, size)
  end
  local queue, state = P .. 'queue:' .. key, P .. 'state:' .. key
  local id = tonumber(call('HGET', state, 'id') or '0')
  repeat
    id = id % 65535 + 1
  until call('HEXISTS', queue, id) == 0
  local sequence = call('INCR', P .. 'sequence')
  -- As encodeQueued writes it: the message follows, its packet identifier, its quality of service, the retain flag.
  local delivery = tonumber(qos)
  if isRetained and not isLive then delivery = delivery + 4 end
  local header = string.char(0, math.floor(id / 256), id % 256, delivery)
  call('HSET', queue, id, header .. body)
  call('ZADD', P .. 'order:' .. key, sequence, id)
  call('HSET', state, 'id', id)
  account(key, size)
  return { key, sequence, id, delivery, dropped }
end

local receivers, given = {}, ARGV
if #changes > 0 then given, first = revise(first, topic, string.byte(body, 1), changes), 1 end
for i = first, #given, 2 do receivers[#receivers + 1] = append(given[i], given[i + 1]) end
tell('t', 'message', 'n', me, 'f', flags, 'o', owner, 'b', body, 'r', #receivers == 0 and '[]' or cjson.encode(receivers))
return answer
