-- In front of `accept`: who receives a message, where more has changed than its node knew.

-- What has changed since a version, the last change first; nothing where that is more than `most`, or too long ago to know.
local function changesSince(version, current, most)
  local count = tonumber(current) - tonumber(version)
  if count < 0 or count > most then return nil end
  local changes = call('LRANGE', P .. 'changed', 0, count - 1)
  if #changes < count then return nil end
  return changes
end

-- Does a topic filter match a topic (MQTT 3.1.1 section 4.7)? As `FilterTree` says.
local function matches(filter, topic)
  -- A wildcard at the beginning does not match names that begin with `$` [MQTT-4.7.2-1].
  if string.find(topic, '^%$') and string.find(filter, '^[#+]') then return false end
  local at, topicAt = 1, 1
  while at <= #filter + 1 do
    local ending = string.find(filter, '/', at, true) or #filter + 1
    local name = string.sub(filter, at, ending - 1)
    -- `a/#` matches `a` as well.
    if name == '#' then return true end
    if topicAt > #topic + 1 then return false end
    local topicEnding = string.find(topic, '/', topicAt, true) or #topic + 1
    if name ~= '+' and name ~= string.sub(topic, topicAt, topicEnding - 1) then return false end
    at, topicAt = ending + 1, topicEnding + 1
  end
  return topicAt > #topic + 1
end

-- The quality of service at which a session is to have a message, by the filters that it has now; 0: not at all, or not to keep.
local function wanted(key, topic, qos)
  local best, filters = 0, call('HGETALL', P .. 'filters:' .. key)
  for i = 1, #filters, 2 do
    local granted = cjson.decode(filters[i + 1]).qos
    if granted > best and matches(filters[i], topic) then best = granted end
  end
  return math.min(best, qos)
end

-- The receivers that a node has computed, session and quality of service in ARGV from `first` on, with those whose filters for this topic
-- have changed since as they are now; in the same form. Whether their owners may have it by now is judged at delivery.
local function revise(first, topic, qos, changes)
  local seen, doubtful = {}, {}
  for _, entry in ipairs(changes) do
    if not seen[entry] then
      seen[entry] = true
      local length, rest = string.match(entry, '^(%d+) (.*)$')
      local filter = string.sub(rest, length + 1)
      if filter == '' or matches(filter, topic) then doubtful[string.sub(rest, 1, length)] = true end
    end
  end
  local receivers = {}
  local function receive(key, granted)
    receivers[#receivers + 1] = key
    receivers[#receivers + 1] = granted
  end
  for i = first, #ARGV, 2 do
    if not doubtful[ARGV[i]] then receive(ARGV[i], ARGV[i + 1]) end
  end
  for key in pairs(doubtful) do
    local granted = wanted(key, topic, qos)
    if granted > 0 then receive(key, granted) end
  end
  return receivers
end
