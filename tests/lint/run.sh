#!/bin/bash
# run.sh - every lint is a program beside this one and one test case.
#
#	tests/lint/run.sh [NAME...]
#
# A lint prints what is wrong as FILE:LINE: TEXT and ends with 0 (nothing), 1 (something) or 77
# (could not look; its last line says why). It runs in the project's top folder and finds what was
# built in $BUILD.
set -u

cd "$(dirname "$0")/../.." || exit 1
export BUILD=${BUILD:-build}
export LC_ALL=C

passed=0 failed=0 skipped=0
if [ $# -eq 0 ]; then
	for lint in tests/lint/*.sh; do
		name=$(basename "$lint" .sh)
		[ "$name" = run ] || set -- "$@" "$name"
	done
fi
for name in "$@"; do
	said=$(bash "tests/lint/$name.sh" 2>&1)
	case $? in
	0) passed=$((passed + 1)) ;;
	77)
		skipped=$((skipped + 1))
		echo "lint: $name: skipped: ${said##*$'\n'}"
		;;
	*)
		failed=$((failed + 1))
		echo "lint: $name:"
		printf '%s\n' "$said"
		;;
	esac
done
bash tests/run.sh count lint "$passed" "$failed" "$skipped"
