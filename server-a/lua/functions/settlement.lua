-- settlement ends an attempt on a key: it writes down what became of the publish, and returns the script's reply, or nil
-- where the answer of the attempt itself was written. counter is the one that the attempt was charged on, and is touched by
-- not_sent alone. mark is the id that it published under, and its body's digest.
--
-- answered is a confirm, and a confirm is a fact: every attempt that published under the record's id may write it, owner
-- or not. Every other ending is the owner's alone.
local function settlement(record, counter, ending, owner, mark, duration, deadline)
  local value = redis.call('GET', record)
  if ending == 'answered' and is_open_with(value, mark) then
    store(record, mark, '202', '', duration)
    return nil
  end
  local found, id = record_in(value), mark:sub(1, 36)
  if found and found.state == 'unreadable' then
    return { 'unreadable' }
  end

  if ending == 'answered' then
    -- Without a record Redis has forgotten the key: its answer is known, so it is kept.
    if not found or (found.id == id and found.status ~= 202) then
      store(record, mark, '202', '', duration)
      return nil
    end
  elseif found and found.owner == owner then
    if ending == 'not_sent' and found.uncertain == 0 then
      -- The unit first: where that fails, the record still says that there is one to give back.
      give_unit_back(counter)
      redis.call('DEL', record)
      return { 'withdrawn' }
    end
    local longer = tonumber(duration)
    found.lease_until = ending == 'held' and now_ms() + longer or 0
    reclaim(record, found, longer)
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
