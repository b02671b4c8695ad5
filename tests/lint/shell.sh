#!/bin/bash
# shell.sh - shellcheck on every script.
set -eu

command -v shellcheck >/dev/null || { echo "there is no shellcheck"; exit 77; }
mapfile -t scripts < <(find . -path ./.git -prune -o -path "./${BUILD#./}" -prune -o -path './build*' \
	-prune -o -type f \( -name '*.sh' -o -name '*.bats' -o -name '*.bash' -o -path './.ci/run' \) \
	-print | sed 's|^\./||' | sort)
[ ${#scripts[@]} -gt 0 ] || exit 1
shellcheck --format=gcc --external-sources --severity=style "${scripts[@]}"
