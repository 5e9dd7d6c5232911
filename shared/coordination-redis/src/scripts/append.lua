-- Adds one event to a job's stream, keeps the stream's bounds, and tells whoever follows. Run twice, it adds once.
-- KEYS: stream. ARGV: id, event, events at most, bytes at most, seconds to keep, channel.
-- Each entry names the one before it and how many bytes came before: so a reader sees from the first entry alone
-- whether something was dropped, and the bound in bytes needs no second key.
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local before, offset = '', 0
if last then
  before = last[1]
  offset = tonumber(last[2][4]) + #last[2][6]
end
local added = redis.pcall('XADD', KEYS[1], 'MAXLEN', '=', ARGV[3], ARGV[1],
  'before', before, 'offset', string.format('%.0f', offset), 'event', ARGV[2])
if type(added) == 'table' and added.err then
  if string.find(added.err, 'equal or smaller', 1, true) then
    return 0
  end
  return added
end
local bytes = offset + #ARGV[2]
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
while first[1] ~= ARGV[1] and bytes - tonumber(first[2][4]) > tonumber(ARGV[4]) do
  redis.call('XDEL', KEYS[1], first[1])
  first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
end
redis.call('EXPIRE', KEYS[1], ARGV[5])
-- An account that may not publish still has a feed: followers look by themselves, too.
redis.pcall('PUBLISH', ARGV[6], '')
return 1
