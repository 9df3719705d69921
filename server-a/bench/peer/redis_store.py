"""What the peer keeps in Redis: answers by idempotency key, and counters of quota."""
import asyncio
import json
import time
from datetime import datetime, timezone

import redis.asyncio
from fastapi import Response
from settings import ApiError, Client, settings

PENDING = "pending"
# Long enough for any request that is still at work; after it a retry may try again.
PENDING_SECONDS = 60
# How long a retry waits for the request that it repeats, and how often it looks.
WAIT_SECONDS, LOOK_EVERY_SECONDS = 5, 0.05

# Counts up unless that would exceed the limit, so that a refused request consumes nothing.
CONSUME = """
if tonumber(redis.call('GET', KEYS[1]) or '0') >= tonumber(ARGV[1]) then return 0 end
local used = redis.call('INCR', KEYS[1])
if used == 1 then redis.call('EXPIRE', KEYS[1], 86400) end
return used
"""

store = redis.asyncio.from_url(settings.redis_url, decode_responses=True)
consume = store.register_script(CONSUME)


async def claim(record: str) -> Response | None:
    """Makes this request the one that works for its key, or returns the answer that is there already."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not await store.set(record, PENDING, nx=True, ex=PENDING_SECONDS):
        stored = await store.get(record)
        if stored is not None and stored != PENDING:
            answer = json.loads(stored)
            return Response(answer["body"], answer["status"], media_type="application/json")
        if time.monotonic() > deadline:
            raise ApiError(500, "INTERNAL_ERROR", "A request with this key is still at work.")
        await asyncio.sleep(LOOK_EVERY_SECONDS)
    return None


async def settle(record: str, answer: Response) -> None:
    """Keeps an answer for later requests with this key. What failed inside may be tried again."""
    if answer.status_code == 500:
        await store.delete(record)
        return
    text = json.dumps({"status": answer.status_code, "body": answer.body.decode()})
    await store.set(record, text, ex=settings.idempotency_ttl)


async def check_quota(api_key: str, client: Client) -> None:
    counter = f"{settings.quota_prefix}:{api_key}:{datetime.now(timezone.utc):%Y-%m-%d}"
    if not await consume(keys=[counter], args=[client.daily_quota]):
        raise ApiError(429, "TOO_MANY_REQUESTS", "The daily quota is used up.")
