#!/bin/sh
# Become the first process of a replica's own world, then start the function in it.
#   enter.sh <new root> <user id, or - to stay> <replica folder> <artefact root> <node> <project, or -> <tmp limit> <process limit> <command…>
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

root=$1 user=$2 replica=$3 artefact=$4 node=$5 project=$6 tmp_limit=$7 process_limit=$8
shift 8

mount --bind -o ro,nosuid,nodev "$root" "$root"
for folder in usr bin sbin lib lib32 lib64 etc opt nix run/systemd/resolve; do
  # Links (bin -> usr/bin) are links in the new root as well.
  if [ -d "$root/$folder" ] && [ ! -L "$root/$folder" ]; then
    mount --rbind "/$folder" "$root/$folder"
  fi
done
for device in null zero full random urandom; do
  mount --bind "/dev/$device" "$root/dev/$device"
done
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t tmpfs -o "nosuid,nodev,mode=1777,size=$tmp_limit" tmpfs "$root/tmp"
mount --bind "$replica/socket" "$root/run/function"
mount --bind -o ro,nosuid,nodev "$replica/secrets" "$root/var/openfaas/secrets"
mount --bind -o ro,nosuid,nodev "$artefact" "$root/home/app"
mount --bind "$node" "$root/platform/bin/node"
if [ "$project" != - ]; then
  for part in watchdog sdk node_modules package.json; do
    mount --bind -o ro,nosuid,nodev "$project/$part" "$root/platform/$part"
  done
fi

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
