-- refusal says what a request that is to be refused is told of a key that has a record. Returns the script's reply, or nil
-- where the key has none: only then may the refusal be stored.
local function refusal(key, found, digest, strict, now)
  if not found then
    return nil
  end
  return standing(key, found, digest, strict, now) or { 'open', found.id, 0 }
end
