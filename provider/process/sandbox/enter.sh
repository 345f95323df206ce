#!/bin/sh
# Become the first process of a replica's own world, then start the function in it.
#   enter.sh <new root> <user id, or - to stay> <replica folder> <lines of fstab> <process limit> <command…>
# Runs with an empty environment inside fresh mount and PID namespaces. File descriptor 3 brings a line with
# the process id of unshare, takes this one's as the host sees it, and then brings the function's
# environment (see start.sh).
set -eu
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

read -r expected_parent <&3
read -r host_pid _ _ parent _ </proc/self/stat
echo "$host_pid" >&3
# From here on unshare's death is ours; one that died before that has left us to somebody else.
[ "$parent" = "$expected_parent" ]

root=$1 user=$2 replica=$3 mounts=$4 process_limit=$5
shift 5

printf '%s\n' "$mounts" >"$replica/mounts"
mount --all --fstab "$replica/mounts"

cd "$root"
pivot_root . .
umount -l .
cd /home/app

# The death signal is set last: changing the user clears it.
if [ "$user" = - ]; then
  exec setpriv --no-new-privs --inh-caps=-all --ambient-caps=-all --bounding-set=-all \
    --pdeathsig KILL /bin/sh /platform/start.sh "$@"
fi
# dash and busybox call it -p, bash -u.
ulimit -p "$process_limit" 2>/dev/null || ulimit -u "$process_limit"
exec setpriv --reuid "$user" --regid "$user" --clear-groups --no-new-privs --inh-caps=-all \
  --bounding-set=-all --pdeathsig KILL /bin/sh /platform/start.sh "$@"
