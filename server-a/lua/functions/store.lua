-- store writes an answered record: later requests with the key are given this answer. It lives life_ms from now on. mark is
-- id and digest. Status and life are texts: Lua writes a number into a text at the price of half a command.
local function store(key, mark, status, body, life_ms)
  redis.call('SET', key, RECORD_VERSION .. 'A' .. mark .. status .. body, 'PX', life_ms)
end
