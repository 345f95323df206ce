#!/bin/sh
# git asks for the password: it waits in the pipe that run-git.ts left open as descriptor 3.
IFS= read -r password <&3 && printf '%s\n' "$password"
