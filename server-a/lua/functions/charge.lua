-- A charge takes units of a count that has a limit, such as a day's quota, and, where there is a bucket, as many tokens. It
-- is a table of counter, limit, life_seconds, taken = 0, and bucket, per_second and now where there is a bucket. Counter and
-- bucket are read once, when the first unit is asked for, and written by write_charge alone: a script reads all that it
-- needs before its first write, because Lua does not undo what was written before an error.
--
-- take_unit takes one more unit; returns 'throttled' or 'exceeded' where there is none, otherwise nil.
local function take_unit(charge)
  local taken = charge.taken
  if charge.bucket then
    charge.gone = charge.gone or tokens_gone(charge.bucket, charge.per_second, charge.now)
    if charge.gone + taken + 1 > charge.per_second then
      return 'throttled'
    end
  end
  charge.used = charge.used or tonumber(redis.call('GET', charge.counter) or 0)
  if charge.used + taken >= charge.limit then
    return 'exceeded'
  end
  charge.taken = taken + 1
  return nil
end

-- The counter is made with its expiry in one command, so that no counter can be left without one.
local function write_charge(charge)
  local taken = charge.taken
  if taken == 0 then
    return
  end
  if charge.used == 0 then
    redis.call('SET', charge.counter, taken, 'EX', charge.life_seconds)
  else
    redis.call('INCRBY', charge.counter, taken)
  end
  if charge.bucket then
    write_tokens(charge.bucket, charge.gone + taken, charge.per_second, charge.now)
  end
end
