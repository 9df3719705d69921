"""What the peer is configured with, read from the environment once, and its provider gate."""
import hashlib
import json
import os
from typing import Any

import pydantic
from pydantic import BaseModel, Field

# The same restriction has another name since pydantic 2.
PATTERN = "regex" if pydantic.VERSION.startswith("1.") else "pattern"


class Client(BaseModel):
    name: str
    is_active: bool
    daily_quota: int = Field(ge=0)


class Provider(BaseModel):
    is_active: bool
    is_operational: bool
    aliases: list[str] = []
    note: str | None = None


class SendSmsRequest(BaseModel):
    to: str = Field(**{PATTERN: r"^\+[1-9][0-9]{6,14}$"})
    text: str = Field(min_length=1, max_length=1000)
    providers: list[str] | None = None
    ttl_seconds: int | None = Field(default=None, ge=10, le=86400)


class ApiError(Exception):
    """A refusal, as the answer's status and the structured error that is its body."""

    def __init__(self, status: int, error_code: str, message: str, details: Any = None) -> None:
        super().__init__(message)
        self.status = status
        self.error_code = error_code
        self.message = message
        self.details = details


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Settings:
    def __init__(self, env: "os._Environ[str]") -> None:
        self.service_name = env.get("SERVICE_NAME", "server-a")
        self.host = env.get("SERVER_A_HOST", "0.0.0.0")
        self.port = int(env.get("SERVER_A_PORT", "8000"))
        self.redis_url = env.get("REDIS_URL", "redis://redis:6379/0")
        self.rabbitmq_url = env.get("RABBITMQ_URL", "amqp://guest:guest@rabbitmq:5672/")
        self.outbound_queue = env.get("RABBITMQ_OUTBOUND_QUEUE", "sms.outbound")
        self.heartbeat_queue = env.get("RABBITMQ_HEARTBEAT_QUEUE", "sms.heartbeat")
        self.gate_enabled = env.get("PROVIDER_GATE_ENABLED", "true").lower() == "true"
        self.idempotency_ttl = int(env.get("IDEMPOTENCY_TTL_SECONDS", "86400"))
        self.quota_prefix = env.get("QUOTA_PREFIX", "quota")
        self.heartbeat_interval = int(env.get("HEARTBEAT_INTERVAL_SECONDS", "60"))
        clients, providers = env["CLIENT_CONFIG"], env["PROVIDERS_CONFIG"]
        self.fingerprint = {"clients": _sha256(clients), "providers": _sha256(providers)}
        self.clients = {key: Client(**value) for key, value in json.loads(clients).items()}
        self.providers = {name: Provider(**value) for name, value in json.loads(providers).items()}
        self.aliases: dict[str, str] = {}
        for name, provider in self.providers.items():
            for alias in {name.lower(), *(alias.lower() for alias in provider.aliases)}:
                if alias in self.aliases:
                    raise ValueError(f"two providers are called {alias}")
                self.aliases[alias] = name

    def _works(self, name: str) -> bool:
        provider = self.providers[name]
        return provider.is_active and provider.is_operational

    def effective_providers(self, asked_for: list[str] | None) -> list[str]:
        """The provider gate: which providers may be tried, in order; none = Server B chooses."""
        if not asked_for:
            if self.gate_enabled and not any(map(self._works, self.providers)):
                raise ApiError(503, "NO_PROVIDER_AVAILABLE", "No provider is available.")
            return []
        names = [self.aliases.get(name.lower()) for name in asked_for]
        known = [name for name in names if name is not None]
        if len(known) < len(names):
            allowed = {"allowed": list(self.providers)}
            raise ApiError(422, "UNKNOWN_PROVIDER", "A provider is unknown.", allowed)
        if not self.gate_enabled:
            return known
        working = [name for name in known if self._works(name)]
        if not working and len(known) == 1:
            raise ApiError(409, "PROVIDER_DISABLED", "The provider is disabled.", {"provider": known[0]})
        if not working:
            raise ApiError(409, "ALL_PROVIDERS_DISABLED", "All of these providers are disabled.")
        return working


settings = Settings(os.environ)
