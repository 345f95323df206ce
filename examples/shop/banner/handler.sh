#!/usr/bin/env bash
# Puts a frame around what is sent, line by line.
set -euo pipefail

mapfile -t lines
[ "${#lines[@]}" -gt 0 ] || lines=("The shop is open")

width=0
for line in "${lines[@]}"; do
  if [ "${#line}" -gt "$width" ]; then width=${#line}; fi
done

edge=$(printf '%*s' "$((width + 2))" '')
printf '+%s+\n' "${edge// /-}"
for line in "${lines[@]}"; do printf '| %-*s |\n' "$width" "$line"; done
printf '+%s+\n' "${edge// /-}"
