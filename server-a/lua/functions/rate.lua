-- A client's limit per second is a bucket with that many tokens: full at first, and filled evenly. A message that is new
-- takes one. Kept are the tokens that are gone, and when that was so; the key ends when the bucket is full again.
--
-- tokens_gone returns how many tokens are gone now. write_tokens writes how many of them are gone.
local function tokens_gone(bucket, per_second, now)
  local gone, at = string.match(redis.call('GET', bucket) or '', '^([%d.]+) (%d+)$')
  at = tonumber(at)
  -- A time that far ahead is of another clock: this Redis has taken over from the one that wrote it.
  if not at or at > now + 1000 then
    return 0
  end
  -- The limit may have been higher when this was written.
  return math.max(0, math.min(tonumber(gone), per_second) - math.max(0, now - at) * per_second / 1000)
end

local function write_tokens(bucket, gone, per_second, now)
  local life = math.ceil(gone * 1000 / per_second)
  redis.call('SET', bucket, string.format('%.3f %.0f', gone, now), 'PX', life)
end
