#!/bin/sh
# The first process of a replica: read the environment, start the function, pass on SIGTERM, reap.
#   start.sh <command…>
# The environment arrives on file descriptor 3 and never touches a privileged process: for each variable a
# line "<name> <number of lines>", then its value's lines; the stream ends after the last.
unset PWD OLDPWD
__newline='
'
while IFS=' ' read -r __name __lines <&3; do
  IFS= read -r __value <&3
  while [ "$__lines" -gt 1 ]; do
    IFS= read -r __line <&3
    __value=$__value$__newline$__line
    __lines=$((__lines - 1))
  done
  export "$__name=$__value"
done
exec 3<&-

"$@" &
__child=$!
trap 'kill -TERM "$__child" 2>/dev/null' TERM
while :; do
  wait "$__child"
  __code=$?
  # A trapped signal ends wait early; the function itself may still be finishing requests.
  kill -0 "$__child" 2>/dev/null || exit "$__code"
done
