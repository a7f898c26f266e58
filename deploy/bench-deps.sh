#!/bin/sh
# Installs the servers that `concord bench` compares with, as far as Debian has them, and leaves none
# of them running: the bench starts its own. Needs root. It may be run again at any time: what is there
# already, and services that ran before, are left alone.
set -eu

if [ "$(id -u)" -ne 0 ]; then
	echo "bench-deps: must be run as root" >&2
	exit 1
fi

missing=''
command -v redis-server >/dev/null || missing="$missing redis-server"
command -v etcd >/dev/null || missing="$missing etcd-server"
# pg_config also comes with the client library alone, and Debian keeps the server out of PATH.
bindir=$(pg_config --bindir 2>/dev/null || true)
if [ ! -x "$bindir/postgres" ] && ! ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; then
	missing="$missing postgresql"
fi

if [ -z "$missing" ]; then
	echo "bench-deps: all installed"
	exit 0
fi

# Debian starts a service as soon as it is installed, unless this file forbids it. One that the
# administrator put there stays as it is; one that a killed run of ours left behind goes.
policy=/usr/sbin/policy-rc.d
mark='# made by bench-deps.sh'
ours=''
cleanup() {
	if [ -n "$ours" ]; then
		rm -f "$policy"
	fi
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM
if [ ! -e "$policy" ] || grep -qxF "$mark" "$policy"; then
	ours=yes
	printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
	chmod 755 "$policy"
fi

echo "bench-deps: installing$missing"
apt-get update -q
# shellcheck disable=SC2086 # a list of packages
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing

# Stop what was started nevertheless, and keep it from starting with the machine.
for package in $missing; do
	case $package in
	etcd-server) service=etcd ;;
	*) service=$package ;;
	esac
	if [ -d /run/systemd/system ]; then
		systemctl disable --now "$service" || echo "bench-deps: could not stop $service" >&2
	elif [ -x "/etc/init.d/$service" ]; then
		service_state=0
		"/etc/init.d/$service" stop >/dev/null 2>&1 || service_state=$?
		update-rc.d "$service" disable >/dev/null || true
		[ "$service_state" -eq 0 ] || echo "bench-deps: $service was not running or could not be stopped" >&2
	fi
done
echo "bench-deps: done"
