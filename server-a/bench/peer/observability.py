"""The peer's metrics, by the names that its specification gives, and its log of JSON lines."""
import logging
import sys
from datetime import datetime, timezone

from prometheus_client import Counter, Gauge, Summary
from pythonjsonlogger import jsonlogger
from settings import ApiError, settings

_configured = Gauge("sms_providers_config_total", "Providers that are configured.")
_active = Gauge("sms_provider_active", "1 = active.", ["provider"])
_operational = Gauge("sms_provider_operational", "1 = operational.", ["provider"])
_unknown = Counter("sms_request_rejected_unknown_provider_total", "Unknown provider.", ["client"])
_disabled = Counter(
    "sms_request_rejected_provider_disabled_total", "Provider disabled.", ["client", "provider"]
)
_unavailable = Counter(
    "sms_request_rejected_no_provider_available_total", "No provider available.", ["client"]
)
Counter("sms_config_fingerprint_mismatch_total", "Compared by Server B.", ["kind"])
REQUESTS = Counter("sms_send_requests_total", "Send requests.", ["status"])
LATENCY = Summary("sms_send_request_duration_seconds", "Time to answer a send request.")

_configured.set(len(settings.providers))
for _name, _provider in settings.providers.items():
    _active.labels(_name).set(_provider.is_active)
    _operational.labels(_name).set(_provider.is_operational)


class _JsonFormatter(jsonlogger.JsonFormatter):
    def add_fields(self, log_record, record, message_dict):
        super().add_fields(log_record, record, message_dict)
        log_record["service"] = settings.service_name
        log_record["level"] = record.levelname
        log_record["timestamp"] = datetime.now(timezone.utc).isoformat()


log = logging.getLogger("server-a")
_handler = logging.StreamHandler(sys.stdout)
_handler.setFormatter(_JsonFormatter("%(message)s"))
log.addHandler(_handler)
log.setLevel(logging.INFO)
log.propagate = False


def gate_blocked(error: ApiError, client: str) -> None:
    """Counts and logs what the provider gate has refused."""
    if error.error_code == "UNKNOWN_PROVIDER":
        _unknown.labels(client).inc()
    elif error.error_code == "NO_PROVIDER_AVAILABLE":
        _unavailable.labels(client).inc()
    else:
        _disabled.labels(client, (error.details or {}).get("provider", "all")).inc()
    log.warning("provider_gate.blocked", extra={"client_api_key": client, "error_code": error.error_code})
