-- admission decides what becomes of a request that would send under a key; found is the key's record as it was read.
-- Returns nil where the key is new and a unit was taken: the script claims it. Otherwise returns the script's reply and,
-- where the key is taken over, its new record, which the script writes.
local function admission(key, found, owner, digest, strict, lease, charge, now)
  if not found then
    -- A key that has a record is never throttled: its message was let through before.
    local nothing_left = take_unit(charge)
    if nothing_left == 'throttled' then
      return { 'throttled' }
    end
    if nothing_left then
      return { 'exceeded', charge.used + charge.taken }
    end
    return nil
  end

  if found.owner == owner then
    charge.used = charge.used or tonumber(redis.call('GET', charge.counter) or 0)
    local used = found.uncertain == 1 and 0 or charge.used + charge.taken
    return { 'admitted', found.id, found.uncertain, used }
  end
  local reply = standing(key, found, digest, strict, now)
  if reply then
    return reply
  end
  -- The unit belongs to the record, so the attempt that takes the key over is not charged.
  found.uncertain, found.lease_until, found.owner = 1, now + lease, owner
  return { 'admitted', found.id, 1, 0 }, found
end
