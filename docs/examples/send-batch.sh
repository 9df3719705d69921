#!/usr/bin/env bash
# Sends up to 100 SMS with one request, and sends them again until there is a decision on each.
#
#     API_KEY=... ./send-batch.sh <<< '{"messages":[{"idempotency_key":"order-4711","to":"+989121234567","text":"On its way."}]}'
#
# Prints the last answer. Exit code: 0 all accepted, 1 some refused, or all (with 429: for today), 2 no decision on some, 64
# not called like this.
set -euo pipefail

if [ -z "${API_KEY:-}" ] || [ $# -ne 0 ]; then
  echo "Usage: API_KEY=... $0 < batch.json" >&2
  exit 64
fi
url=${GATEWAY_URL:-http://localhost:8000}/api/v1/sms/send-batch
batch=$(cat)
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

for pause in 1 2 4 8 0; do
  status=$(curl --silent --max-time 5 --output "$answer" --write-out '%{http_code}' "$url" \
    -H "API-Key: $API_KEY" -H 'Content-Type: application/json' --data-binary "$batch") || status=000
  case $status in
    207)
      # All of them again, where one has no decision yet: what is accepted already is replayed, and is not sent twice.
      if grep -qE '"status":5[0-9]+,"body":|"reason":"rate"' "$answer"; then
        sleep "$pause"
        continue
      fi
      cat "$answer"
      # Refused; or accepted before with another body, so this one is not sent.
      if grep -qE '"status":4[0-9]+,"body":|"mismatch":true' "$answer"; then exit 1; fi
      exit 0
      ;;
    # No answer, or a fault of the gateway or of something before it: the keys make it safe to try again.
    000 | 408 | 5??) sleep "$pause" ;;
    *) cat "$answer" >&2 && exit 1 ;;
  esac
done
echo 'no decision on some; try again later with the same keys' >&2
exit 2
