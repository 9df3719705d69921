"""Sends one SMS, and sends again with the same key until there is a decision.

    API_KEY=... python3 send.py order-4711 +989121234567 'Your code is 123456'
"""

import http.client
import json
import os
import random
import sys
import time
import urllib.parse

ATTEMPT_SECONDS = 5  # The gateway answers within 3.


class Gateway:
    """One connection, kept open between messages. Not for several threads: give each its own."""

    def __init__(self, url: str, api_key: str):
        parts = urllib.parse.urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.netloc, timeout=ATTEMPT_SECONDS)
        self._api_key = api_key

    def send(self, key: str, sms: dict) -> str:
        """Returns the tracking id. `key` names the message: the same for every attempt at it."""
        give_up_at = time.monotonic() + sms["ttl_seconds"]
        attempt = 0
        while True:
            status, retry_after, body = self._attempt(key, sms)
            if status == 202:
                return body["tracking_id"]
            # No answer, a fault, or one that says when to come back: the key makes that safe. Anything else is final.
            if status not in (0, 408) and status < 500 and retry_after == 0:
                raise RuntimeError(f"refused: {status} {body}")
            pause = max(retry_after, min(2**attempt, 30) * random.random())
            if time.monotonic() + pause > give_up_at:
                raise TimeoutError(f"no decision: {status} {body}")
            time.sleep(pause)
            attempt += 1

    def _attempt(self, key: str, sms: dict):
        headers = {
            "API-Key": self._api_key,
            "Idempotency-Key": key,
            "Content-Type": "application/json",
        }
        try:
            self._connection.request("POST", "/api/v1/sms/send", json.dumps(sms), headers)
            answer = self._connection.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException):
            self._connection.close()  # Opened anew by the next request.
            return 0, 0, None
        retry_after = answer.getheader("Retry-After", "")
        # What stands between may answer in another form.
        is_json = answer.getheader("Content-Type", "").startswith("application/json")
        return answer.status, int(retry_after) if retry_after.isdigit() else 0, json.loads(text) if is_json else text


if __name__ == "__main__":
    if len(sys.argv) != 4 or "API_KEY" not in os.environ:
        sys.exit("usage: API_KEY=... send.py <key> <to> <text>")
    gateway = Gateway(os.environ.get("GATEWAY_URL", "http://localhost:8000"), os.environ["API_KEY"])
    try:
        print(gateway.send(sys.argv[1], {"to": sys.argv[2], "text": sys.argv[3], "ttl_seconds": 600}))
    except (RuntimeError, TimeoutError) as error:
        sys.exit(str(error))
