-- claim writes an open record: an attempt owns the key until the lease ends. The record lives life_ms from now on. mark is
-- id and digest; open_fields returns what stands behind them.
local function open_fields(uncertain, lease_until, day, owner)
  return uncertain .. string.format('%013.0f', lease_until) .. day .. owner
end

local function claim(key, mark, fields, life_ms)
  redis.call('SET', key, RECORD_VERSION .. 'O' .. mark .. fields, 'PX', life_ms)
end
