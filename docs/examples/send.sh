#!/usr/bin/env bash
# Sends one SMS, and sends again with the same key until there is a decision.
#
#     API_KEY=... ./send.sh order-4711 <<< '{"to":"+989121234567","text":"Your code is 123456"}'
#
# Prints the answer. Exit code: 0 accepted, 1 refused (with 429: for today), 2 no decision, 64 not called like this.
set -euo pipefail

if [ -z "${API_KEY:-}" ] || [ $# -ne 1 ]; then
  echo "Usage: API_KEY=... $0 IDEMPOTENCY_KEY < message.json" >&2
  exit 64
fi
url=${GATEWAY_URL:-http://localhost:8000}/api/v1/sms/send
key=$1
message=$(cat)
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

for pause in 1 2 4 8 0; do
  status=$(curl --silent --max-time 5 --output "$answer" --write-out '%{http_code}' "$url" \
    -H "API-Key: $API_KEY" -H "Idempotency-Key: $key" -H 'Content-Type: application/json' \
    --data-binary "$message") || status=000
  case $status in
    202) cat "$answer" && exit 0 ;;
    # No answer, or a fault of the gateway or of something before it: the key makes it safe to try again.
    000 | 408 | 5??) sleep "$pause" ;;
    # Too many in this second.
    429) grep -q '"reason":"rate"' "$answer" || { cat "$answer" >&2 && exit 1; }
      sleep "$pause" ;;
    *) cat "$answer" >&2 && exit 1 ;;
  esac
done
echo "no decision; try again later with the key $key" >&2
exit 2
