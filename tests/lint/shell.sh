#!/bin/bash
# shell.sh - shellcheck on every script.
set -eu

command -v shellcheck >/dev/null || { echo "there is no shellcheck"; exit 77; }
mapfile -t scripts < <(find packages.sh .ci schema tests packaging examples -type f \
	\( -name '*.sh' -o -name '*.bats' -o -name '*.bash' -o -path '.ci/run' \) 2>/dev/null |
	sort)
[ ${#scripts[@]} -gt 0 ] || exit 1
# Not: words about taste (2001 sed, 2002 cat, 2013 for-read, 2015 and-or, 2143 grep -q), and what
# bats does unseen (2030, 2031 its subshells; 2034, 2154 its variables; 2317 its calls).
shellcheck --format=gcc --external-sources \
	--exclude=SC1091,SC2001,SC2002,SC2013,SC2015,SC2030,SC2031,SC2034,SC2143,SC2154,SC2317 \
	"${scripts[@]}"
