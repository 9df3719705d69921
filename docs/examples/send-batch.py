"""Sends many SMS in batches, and each of them again with its key until there is a decision.

    API_KEY=... python3 send-batch.py < messages.ndjson

Reads a message a line: {"idempotency_key": "order-4711", "to": "+989121234567", "text": "On its way."}. Prints a line for
each: key, status, and tracking id or error code. Exit code 1 where one was not accepted.
"""

import http.client
import json
import os
import random
import sys
import time
import urllib.parse

BATCH_SIZE = 100
ATTEMPT_SECONDS = 5  # The gateway answers within 3.
WORTH_SECONDS = 600  # How long the messages are worth sending.


class Gateway:
    """One connection, kept open between batches. Not for several threads: give each its own."""

    def __init__(self, url: str, api_key: str):
        parts = urllib.parse.urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.netloc, timeout=ATTEMPT_SECONDS)
        self._api_key = api_key

    def send(self, messages: list) -> list:
        """Sends up to 100 messages; returns what became of each. Each has an `idempotency_key`, the same for every attempt."""
        results = {}
        give_up_at = time.monotonic() + WORTH_SECONDS
        left = messages
        attempt = 0
        while True:
            status, body = self._attempt(left)
            pause = min(2**attempt, 30) * random.random()
            if status == 207:
                sent, left = left, []
                for result in body["results"]:
                    results[result["idempotency_key"]] = result
                    # What says when to come back is sent again, with its key; anything else is final.
                    retry_after = result.get("retry_after")
                    if retry_after is not None and time.monotonic() + retry_after <= give_up_at:
                        left.append(sent[result["index"]])
                        pause = max(pause, retry_after)
                if not left:
                    return list(results.values())
            elif status not in (0, 408) and status < 500:
                raise RuntimeError(f"refused as a whole: {status} {body}")
            if time.monotonic() + pause > give_up_at:
                raise TimeoutError(f"no decision on {len(left)} messages")
            time.sleep(pause)
            attempt += 1

    def _attempt(self, messages: list):
        headers = {"API-Key": self._api_key, "Content-Type": "application/json"}
        try:
            # As UTF-8: escaped, a hundred long texts could be larger than the 512 KiB that a batch may have.
            body = json.dumps({"messages": messages}, ensure_ascii=False).encode()
            self._connection.request("POST", "/api/v1/sms/send-batch", body, headers)
            answer = self._connection.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException):
            self._connection.close()  # Opened anew by the next request.
            return 0, None
        return answer.status, json.loads(text) if answer.status == 207 else text


if __name__ == "__main__":
    if "API_KEY" not in os.environ:
        sys.exit("usage: API_KEY=... send-batch.py < messages.ndjson")
    gateway = Gateway(os.environ.get("GATEWAY_URL", "http://localhost:8000"), os.environ["API_KEY"])
    messages = [json.loads(line) for line in sys.stdin if line.strip()]
    all_accepted = True
    for first in range(0, len(messages), BATCH_SIZE):
        for result in gateway.send(messages[first : first + BATCH_SIZE]):
            accepted = result["status"] == 202
            all_accepted = all_accepted and accepted
            said = result["body"]["tracking_id" if accepted else "error_code"]
            print(result["idempotency_key"], result["status"], said)
    sys.exit(0 if all_accepted else 1)
