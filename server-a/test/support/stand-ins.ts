/** Programs that stand in for Docker and others while the commands of a document are tried. */
import { existsSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/**
 * Understands `docker compose` as far as the documents use it, and does the same with the services that run here. Without
 * containers there is nothing to build, start or stop: those words are noted in the file DONE.
 */
const DOCKER = `#!/usr/bin/env bash
set -euo pipefail
if [ "$1" = run ]; then
  # A container in the broker's network, with the repository in it.
  for url in "$@"; do case $url in RABBITMQ_URL=*) export "\${url?}" ;; esac; done
  while [ "$1" != npm ]; do shift; done
  exec "$@"
fi
[ "$1" = compose ] || exit 90
verb=$2
shift 2
kept=()
while [[ \${1:-} == -* ]]; do
  case $1 in
    -T | -d | --rm | --no-deps | --no-log-prefix) ;;
    -e | -s) shift ;;
    --scale) kept+=("$1" "$2"); shift ;;
    *) echo "no stand-in for the option $1" >&2; exit 92 ;;
  esac
  shift
done
case "$verb $1 \${2:-}" in
  'exec rabbitmq rabbitmqctl') shift 2; exec "$RABBITMQCTL" --quiet "$@" ;;
  'exec redis redis-cli') shift 2; exec redis-cli -u "$REDIS" "$@" ;;
  'exec redis tar' | 'exec redis sh' | 'run redis sh')
    shift
    # The program redis-cli of a container reaches the container's Redis.
    words=("\${@//redis-cli/redis-cli -u $REDIS}")
    exec "\${words[@]//\\/data/\${REDIS_DATA:?}}" ;;
  'exec server-a node') shift; exec "\${@/127.0.0.1:8000/127.0.0.1:$OPERATIONS}" ;;
  run\\ server-a\\ *)
    shift
    [ "$1" != --check-config ] || echo "$1" >> "$DONE"
    exec node "$ROOT/server-a/dist/main.js" "\${@//\\/config\\//$CONFIG/}" ;;
  kill\\ *) exec kill -HUP "$GATEWAY" ;;
  logs\\ *) exec cat "$LOG" ;;
  up\\ * | stop\\ * | start\\ *) echo "$verb" "\${kept[@]}" "$@" >> "$DONE" ;;
  *) echo "no stand-in for: $verb $*" >&2; exit 91 ;;
esac
`;

/** As npm does: it runs in the workspace, and says where it was called. */
const NPM = `#!/bin/sh
shift 6
INIT_CWD=$PWD
export INIT_CWD
cd "$ROOT/server-a" && exec node --import tsx dev/dead-letters.ts "$@"
`;

/** Notes how it was called. */
const noting = (name: string): string => `#!/bin/sh\necho ${name} "$@" >> "$DONE"\n`;

/** Sends what is meant for the usual port to another one. */
const curlTo = (port: number): string => {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const curl = folders.map((at) => join(at, 'curl')).find(existsSync);
  return `#!/usr/bin/env bash\nexec ${curl} "\${@/localhost:8000/localhost:${port}}"\n`;
};

/**
 * Writes them into a folder that then stands first in the PATH.
 *
 * They read from their environment: RABBITMQCTL (a program), REDIS (a URL), REDIS_DATA (its folder), GATEWAY (a process),
 * OPERATIONS (its port), LOG (its log), CONFIG (the folder of clients and providers, with a slash), ROOT, and DONE.
 *
 * @param port of the gateway
 */
export async function writeStandIns(folder: string, port: number): Promise<void> {
  const programs = { docker: DOCKER, npm: NPM, git: noting('git'), make: noting('make'), curl: curlTo(port) };
  await mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(programs)) {
    await writeFile(join(folder, name), text);
    await chmod(join(folder, name), 0o755);
  }
}
