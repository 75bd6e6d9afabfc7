#!/bin/sh
# A double of sudo for a host of a test: what sudoers lets postgres do is done as postgres, by the double of systemctl.
set -eu
[ "$1" != -n ] || shift
ask=
[ "$1" != -l ] || { ask=yes; shift; }
grep -qF -- "$*" /etc/sudoers.d/tuiha-node-agent || { echo "sudo: a password is required (a double)" >&2; exit 1; }
[ -z "$ask" ] || exit 0
shift
exec /usr/local/sbin/systemctl "$@"
