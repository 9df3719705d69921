#!/usr/bin/env bash
# Makes what docker-compose.production.yml mounts: new passwords for Redis, RabbitMQ and Grafana, the gateway's URLs with
# them, a new secret for tracking ids, and the files of clients and providers to be filled in. Leaves a folder that is
# there already as it is.
#
# The folder can be entered by its owner alone. The files in it can be read by all, because each container reads its own as
# another user.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=${1:-secrets}
if [[ -e $folder ]]; then
  echo "$folder is there already: nothing was changed." >&2
  exit 1
fi

new_password() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
put() {
  printf '%s\n' "$2" >"$unfinished/$1"
  chmod 644 "$unfinished/$1"
}

umask 077
# Under its name once it is whole: half of it would never be completed.
unfinished=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$unfinished"' EXIT
mkdir "$unfinished"/{gateway,redis,exporter,rabbitmq,grafana}
chmod 755 "$unfinished"/{gateway,redis,exporter,rabbitmq,grafana}

redis=$(new_password)
rabbitmq=$(new_password)
put gateway/redis_url "redis://:$redis@redis:6379/0"
put gateway/rabbitmq_url "amqp://gateway:$rabbitmq@rabbitmq:5672/"
put gateway/tracking_id_secret "$(new_password)"
put gateway/clients.json '{}'
put gateway/providers.json '{}'
put redis/password "$redis"
put exporter/passwords.json "{\"redis://redis:6379\":\"$redis\"}"
put redis/redis.conf "requirepass $redis"
# These take the place of the image's own settings. The user is made when the broker first starts with empty data.
put rabbitmq/gateway.conf "default_user = gateway
default_pass = $rabbitmq
default_user_tags.administrator = false
default_user_tags.monitoring = true
log.console = true
vm_memory_high_watermark.absolute = 600MiB
disk_free_limit.absolute = 1GB"
put grafana/password "$(new_password)"

mv "$unfinished" "$folder"
trap - EXIT
cat <<END
$folder/ is made. Fill in $folder/gateway/clients.json and $folder/gateway/providers.json, then check:
  docker compose -f docker-compose.yml -f docker-compose.production.yml run --rm --no-deps server-a --check-config
END
