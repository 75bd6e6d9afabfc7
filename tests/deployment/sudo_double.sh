#!/bin/sh
# A double of sudo for a host of a test: what sudoers lets postgres do is done as postgres, by the double of systemctl.
set -eu
[ "$1" = -n ] && shift
wanted=$*
grep -qF "$wanted" /etc/sudoers.d/tuiha-node-agent || { echo "sudo: a password is required (a double)" >&2; exit 1; }
shift
exec /usr/local/sbin/systemctl "$@"
