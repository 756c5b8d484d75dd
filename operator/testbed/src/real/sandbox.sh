# Runs "$@" with a network, mounts and processes of its own, until it ends or whoever holds the other end of this shell's
# stdin is gone. Ends with its status, or with 70 if something is left. The kernel removes with the namespaces what was in them; the rest is removed here:
# the cgroups named $1 and the directory $2.
cgroup=$1 directory=$2
shift 2
exec 3<&0 </dev/null
# A shell as the first process, as that one must reap all orphans.
unshare --net --mount --pid --fork --kill-child=KILL --mount-proc --propagation private -- \
  /bin/sh -c '"$@"; exit "$?"' sandbox "$@" 3<&- &
inside=$!
{
  read -r _ <&3
  # The first process inside, not unshare: unshare ends only when all inside are gone.
  kill -KILL $(cat "/proc/$inside/task/$inside/children") || kill -KILL "$inside"
} >/dev/null 2>&1 &
watcher=$!
exec 3<&-
wait "$inside"
status=$?
kill -KILL "$watcher" 2>/dev/null

tries=0
while [ "$tries" -lt 100 ]; do
  left=
  for tree in /sys/fs/cgroup/"$cgroup" /sys/fs/cgroup/*/"$cgroup"; do
    [ -d "$tree" ] || continue
    find "$tree" -depth -type d -exec rmdir {} \; 2>/dev/null
    [ ! -d "$tree" ] || left=$tree
  done
  [ -n "$left" ] || break
  sleep 0.1
  tries=$((tries + 1))
done
if [ -z "${TESTBED_KEEP+set}" ]; then
  rm -rf "$directory" || left=$directory
else
  echo "logs and data are kept in $directory" >&2
fi
if [ -n "$left" ]; then
  echo "not removed: $left" >&2
  exit 70
fi
exit "$status"
