#!/usr/bin/env bash
# Installs what is missing for working on this repository, and does nothing when nothing is:
#
#     server-a/dev/setup.sh                  npm packages
#     server-a/dev/setup.sh --with-services  also Redis, RabbitMQ and what else the tests run, from the system's packages
#
# Any number of these can run at once. On failure: one sentence on stderr, exit code 1.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

fail() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

say() {
  printf 'setup: %s\n' "$*" >&2
}

check_node() {
  local needed found
  needed=$(sed -n 's/.*"node": *">=\([0-9.]*\)".*/\1/p' package.json)
  command -v node >/dev/null || fail "Node.js $needed or newer is needed, and none is installed."
  found=$(node --version)
  found=${found#v}
  [ "$(printf '%s\n%s\n' "$needed" "$found" | sort -V | head -n 1)" = "$needed" ] ||
    fail "Node.js $needed or newer is needed, and this is $found."
  command -v npm >/dev/null || fail "npm is needed, and Node.js $found came without it."
}

install_npm_packages() {
  # npm writes this file last, so it is older than the lock file, or missing, unless an install went through.
  local installed=node_modules/.package-lock.json
  [ -e "$installed" ] && [ ! package-lock.json -nt "$installed" ] && return
  say 'installing npm packages'
  npm ci --include=dev --no-audit --no-fund --loglevel=error >&2 || fail 'npm could not install the packages (see above).'
  touch "$installed"
}

has_redis() {
  command -v redis-server >/dev/null
}

has_rabbitmq() {
  # Debian's command on PATH is a wrapper in /usr/sbin, which not every user has on PATH.
  [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || command -v rabbitmq-server >/dev/null
}

install_services() {
  local missing=()
  has_redis || missing+=(redis-server)
  has_rabbitmq || missing+=(rabbitmq-server)
  # The examples of docs/ are run by a test.
  command -v curl >/dev/null || missing+=(curl)
  command -v python3 >/dev/null || missing+=(python3)
  # The alerts and the dashboard are tried with a real one.
  command -v prometheus >/dev/null && command -v promtool >/dev/null || missing+=(prometheus)
  # The balancers that deploy/ has examples for.
  [ -x /usr/sbin/haproxy ] || command -v haproxy >/dev/null || missing+=(haproxy)
  [ -x /usr/sbin/nginx ] || command -v nginx >/dev/null || missing+=(nginx-light)
  command -v prometheus-alertmanager >/dev/null && command -v amtool >/dev/null || missing+=(prometheus-alertmanager)
  command -v prometheus-redis-exporter >/dev/null || missing+=(prometheus-redis-exporter)
  # Makes the certificates of the TLS tests.
  command -v openssl >/dev/null || missing+=(openssl)
  [ ${#missing[@]} -eq 0 ] && return
  command -v apt-get >/dev/null ||
    fail "please install ${missing[*]} (this system has no apt-get, so it cannot be done for you)."

  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    # Without a terminal nobody could type the password.
    command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; } ||
      fail "please install ${missing[*]} as root: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing ${missing[*]} with apt-get"
  "${as_root[@]}" bash -s -- "${missing[@]}" >&2 <<'AS_ROOT' || fail "apt-get could not install ${missing[*]} (see above)."
set -euo pipefail
# Debian starts a server as soon as it is installed, unless this script forbids it. Only private instances are
# wanted here. A policy that an administrator has put in place is left alone.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
# Another apt-get may be at work, on a machine that has just started for instance.
apt() { apt-get -o DPkg::Lock::Timeout=300 -q -y "$@" </dev/null; }
apt update
apt install --no-install-recommends "$@"
# Otherwise they would start with the next boot. Not every package has a service.
if [ -d /run/systemd/system ]; then
  for service in "$@"; do systemctl disable "$service" || true; done
fi
AS_ROOT
}

main() {
  case "${1-}" in
    '' | --with-services) ;;
    *) fail "unknown argument $1 (known: --with-services)." ;;
  esac
  check_node
  # Two installations at once would trip over each other.
  mkdir -p .run 2>/dev/null && [ -w .run ] || fail "cannot write to $PWD/.run: the folder belongs to somebody else."
  if command -v flock >/dev/null; then
    exec 9>.run/setup.lock
    flock 9
  fi
  install_npm_packages
  if [ "${1-}" = --with-services ]; then install_services; fi
}

main "$@"
