"""Says, as JSON, which versions the peer would run with, and which packages it would miss."""
import json
import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = [
    *["fastapi", "pydantic", "uvicorn", "uvloop", "httptools", "redis", "hiredis", "aio-pika"],
    *["prometheus-client", "python-json-logger"],
]
found: dict[str, str] = {}
missing: list[str] = []
for package in PACKAGES:
    try:
        found[package] = version(package)
    except PackageNotFoundError:
        missing.append(package)
print(json.dumps({"python": platform.python_version(), "found": found, "missing": missing}))
