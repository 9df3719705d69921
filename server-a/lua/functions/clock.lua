-- Redis's own time in whole milliseconds. Leases, deadlines and days are all judged by this one clock.
local function now_ms()
  local time = redis.call('TIME')
  return math.floor(time[1] * 1000 + time[2] / 1000)
end
