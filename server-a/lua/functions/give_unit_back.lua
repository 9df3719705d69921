-- give_unit_back returns a unit to the day's quota that it was taken from. It never creates a counter and never counts
-- below zero. Returns whether a unit was given back, and the units used.
local function give_unit_back(counter)
  local used = tonumber(redis.call('GET', counter) or 0)
  if used <= 0 then
    return false, used
  end
  return true, redis.call('DECR', counter)
end
