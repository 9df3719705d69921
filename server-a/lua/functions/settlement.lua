-- settlement ends an attempt on a key: it writes down what became of the publish, and returns the script's reply. counter
-- is the one that the attempt was charged on, and is touched by not_sent alone.
--
-- answered is a confirm, and a confirm is a fact: every attempt that published under the record's id may write it, owner
-- or not. Every other ending is the owner's alone.
local function settlement(record, counter, ending, owner, id, digest, duration, deadline)
  local found = read_record(record)
  if found and found.state == 'unreadable' then
    return { 'unreadable' }
  end

  if ending == 'answered' then
    -- Without a record Redis has forgotten the key: its answer is known, so it is kept.
    if not found or (found.id == id and found.status ~= 202) then
      store(record, id, digest, 202, '', duration)
      return { 'answered', id, 202, '', duration, 0 }
    end
  elseif found and found.owner == owner then
    if ending == 'not_sent' and found.uncertain == 0 then
      -- The unit first: where that fails, the record still says that there is one to give back.
      give_unit_back(counter)
      redis.call('DEL', record)
      return { 'withdrawn' }
    end
    found.lease_until = ending == 'held' and now_ms() + duration or 0
    reclaim(record, found, duration)
    return { 'open', found.id, 0 }
  elseif deadline > 0 and now_ms() <= deadline then
    return { 'early' }
  end

  if not found then
    return { 'absent' }
  end
  if found.state == 'answered' then
    return { 'answered', found.id, found.status, found.body, redis.call('PTTL', record), 0 }
  end
  return { 'open', found.id, 0 }
end
