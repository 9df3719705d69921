-- store writes an answered record: later requests with the key are given this answer. It lives life_ms from now on.
local function store(key, id, digest, status, body, life_ms)
  redis.call('SET', key, RECORD_VERSION .. 'A' .. id .. digest .. status .. body, 'PX', life_ms)
end
