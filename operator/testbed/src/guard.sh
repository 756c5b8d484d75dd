# Runs "$@" and makes sure that it does not outlive whoever holds the other end of this shell's stdin.
# Prints the program's pid on stdout; ends with the program's exit status.
exec 3<&0 4>&1
"$@" </dev/null >&2 3<&- 4>&- &
program=$!
echo "$program" >&4
exec 4>&- </dev/null
{
  read -r _ <&3
  kill -TERM "$program"
  tries=0
  while kill -0 "$program" && [ "$tries" -lt 20 ]; do
    sleep 0.1
    tries=$((tries + 1))
  done
  kill -KILL "$program"
} >/dev/null 2>&1 &
watcher=$!
exec 3<&- >/dev/null
wait "$program"
status=$?
kill -KILL "$watcher" 2>/dev/null
exit "$status"
