#!/bin/sh
# Adds up what the kinds of tests counted: total.sh FOLDER KIND... Each FOLDER/KIND holds
# "passed failed skipped"; a kind without a file did not come to its end and counts as a failure.
set -eu
folder=$1
shift
passed=0 failed=0 skipped=0
for kind in "$@"; do
	if [ -r "$folder/$kind" ]; then
		read -r p f s < "$folder/$kind"
	else
		p=0 f=1 s=0
		echo "$kind: did not come to its end"
	fi
	printf '%-12s %5d passed %5d failed %5d skipped\n' "$kind" "$p" "$f" "$s"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
