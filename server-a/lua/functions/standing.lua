-- standing says what a request is told of a key that has a record already. Returns the script's reply, or nil where the
-- key is open, its lease is over and the request has the same body: only then may the request take the key over.
local function standing(key, record, digest, strict, now)
  if record.state == 'unreadable' then
    return { 'unreadable' }
  end
  -- An unreadable body has no digest and contradicts nothing.
  local mismatch = (digest ~= '' and digest ~= record.digest) and 1 or 0
  if record.state == 'answered' then
    if mismatch == 1 and strict then
      return { 'mismatch', record.id }
    end
    return { 'answered', record.id, record.status, record.body, redis.call('PTTL', key), mismatch }
  end
  local lease_left = record.lease_until - now
  if lease_left > 0 then
    if mismatch == 1 and strict then
      return { 'mismatch', record.id }
    end
    return { 'in_flight', record.id, lease_left, mismatch }
  end
  if mismatch == 1 then
    return { 'open', record.id, 1 }
  end
  return nil
end
