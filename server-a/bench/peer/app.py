"""
The peer: Server A as its specification asks for it, in the specification's own stack (FastAPI, uvicorn, redis.asyncio,
aio-pika, prometheus-client, JSON log lines), as one would write it from that text in a day. The benchmark measures the
gateway beside it: `make bench ARGS='--only peer'`.

It is no part of the product. It has what the specification asks for and nothing else: no batches, no key reused for
another request, no limits on time or on work at once, no reload of its configuration, no answer for what is unknown
after a failure. It is not written slowly either: uvloop, httptools and hiredis, one script for the quota, no
middleware, the answer made once.
"""
import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime, timezone

import uvicorn
from broker import broker
from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, APIRouter
from observability import LATENCY, REQUESTS, gate_blocked, log
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from redis import RedisError
from redis_store import check_quota, claim, settle, store
from settings import ApiError, Client, SendSmsRequest, settings

DEFAULT_TTL_SECONDS = 3600


def now() -> str:
    return datetime.now(timezone.utc).isoformat()


def error_answer(error: ApiError, tracking_id: str | None) -> Response:
    body = {"error_code": error.error_code, "message": error.message, "timestamp": now()}
    if error.details is not None:
        body["details"] = error.details
    if tracking_id is not None:
        body["tracking_id"] = tracking_id
    return Response(json.dumps(body), error.status, media_type="application/json")


class SendRoute(APIRoute):
    """Idempotency before everything else, and after it; every error as JSON; one log line for each request."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:
        handle = super().get_route_handler()

        async def attempt(request: Request) -> Response:
            try:
                return await handle(request)
            except ApiError as error:
                refusal = error
            except RequestValidationError as error:
                details = [{"loc": list(one["loc"]), "msg": one["msg"]} for one in error.errors()]
                refusal = ApiError(400, "INVALID_PAYLOAD", "The payload is invalid.", details)
            except Exception:
                log.exception("request.failed")
                refusal = ApiError(500, "INTERNAL_ERROR", "Internal error.")
            return error_answer(refusal, getattr(request.state, "tracking_id", None))

        async def once(request: Request) -> Response:
            key = request.headers.get("idempotency-key")
            if key is None:
                return await attempt(request)
            record = f"idem:{request.headers.get('api-key')}:{key}"
            try:
                answer = await claim(record)
                if answer is None:
                    answer = await attempt(request)
                    await settle(record, answer)
                return answer
            except ApiError as error:
                return error_answer(error, None)
            except RedisError:
                log.exception("idempotency.failed")
                return error_answer(ApiError(500, "INTERNAL_ERROR", "Internal error."), None)

        async def observed(request: Request) -> Response:
            begun = time.perf_counter()
            answer = await once(request)
            seconds = time.perf_counter() - begun
            LATENCY.observe(seconds)
            REQUESTS.labels(answer.status_code).inc()
            fields = {
                "client_api_key": request.headers.get("api-key"),
                "status": answer.status_code,
                "duration_ms": round(seconds * 1000, 3),
            }
            tracking_id = getattr(request.state, "tracking_id", None)
            if tracking_id is not None:
                fields["tracking_id"] = tracking_id
            log.info("request.answered", extra=fields)
            return answer

        return observed


async def authenticate(request: Request) -> tuple[str, Client]:
    api_key = request.headers.get("api-key", "")
    client = settings.clients.get(api_key)
    if client is None or not client.is_active:
        raise ApiError(401, "UNAUTHORIZED", "The API key is missing or invalid.")
    return api_key, client


router = APIRouter(route_class=SendRoute)


@router.post("/api/v1/sms/send", status_code=202)
async def send(
    request: Request, payload: SendSmsRequest, caller: tuple[str, Client] = Depends(authenticate)
) -> Response:
    api_key, client = caller
    try:
        effective = settings.effective_providers(payload.providers)
    except ApiError as error:
        gate_blocked(error, api_key)
        raise
    await check_quota(api_key, client)
    tracking_id = str(uuid.uuid4())
    request.state.tracking_id = tracking_id
    envelope = {
        "tracking_id": tracking_id,
        "client_key": api_key,
        "to": payload.to,
        "text": payload.text,
        "ttl_seconds": payload.ttl_seconds or DEFAULT_TTL_SECONDS,
        "providers_effective": effective,
        "config_fingerprint": settings.fingerprint,
        "created_at": now(),
    }
    if payload.providers:
        envelope["providers_original"] = payload.providers
    await broker.publish(settings.outbound_queue, envelope)
    accepted = {
        "success": True,
        "message": "Request accepted for processing.",
        "tracking_id": tracking_id,
    }
    return Response(json.dumps(accepted), 202, media_type="application/json")


async def send_heartbeats() -> None:
    while True:
        beat = {"service": settings.service_name, "ts": now(), "config_fingerprint": settings.fingerprint}
        try:
            await broker.publish(settings.heartbeat_queue, beat)
        except Exception:
            log.exception("heartbeat.failed")
        await asyncio.sleep(settings.heartbeat_interval)


app = FastAPI()
app.include_router(router)


@app.on_event("startup")
async def start() -> None:
    await broker.start()
    app.state.heartbeats = asyncio.create_task(send_heartbeats())


@app.on_event("shutdown")
async def stop() -> None:
    app.state.heartbeats.cancel()
    await broker.connection.close()
    await store.connection_pool.disconnect()


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/readyz")
async def readyz() -> Response:
    try:
        await store.ping()
        ready = not broker.connection.is_closed and not broker.channel.is_closed
    except RedisError:
        ready = False
    return Response(status_code=200 if ready else 503)


@app.get("/metrics")
async def metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


if __name__ == "__main__":
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
