-- reclaim writes an open record anew. The record keeps its expiry, but lives least_ms from now on at the least. Where
-- somebody has taken its expiry away, it stays without one: with a life that is made up, it would end before its message.
local function reclaim(key, record, least_ms)
  local left = redis.call('PTTL', key)
  local fields = open_fields(record.uncertain, record.lease_until, record.day, record.owner)
  claim(key, record.id .. record.digest, fields, math.max(left, least_ms, 1))
  if left == -1 then
    redis.call('PERSIST', key)
  end
end
