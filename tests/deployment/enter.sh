# Enter a host: its own folders go over the machine's, in the mount namespace that `ip netns exec` made. ROOT WORD...
set -eu
root=$1
shift
for part in etc run var/lib var/log usr/local/bin usr/local/sbin; do
    mount --bind "$root/$part" "/$part"
done
mount --bind "$root/../mail" /srv # what mail servers share
exec "$@"
