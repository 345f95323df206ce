#!/usr/bin/env bash
set -euo pipefail

# The request's body comes on standard input; $Http_Path, $Http_Query and the headers are variables.
body=$(cat)
printf 'Hello, %s!\n' "${body:-world}"
