#!/bin/sh
# Runs a command of the simulator, shows what it prints, and counts it for `make check`:
# run.sh KIND COMMAND... Lines "NAME N seeds V violations" are cases; "caught X of Y" counts too.
set -u
kind=$1
shift
out=$BUILD/$kind.txt
"$@" >"$out" 2>&1
status=$?
cat "$out"
passed=$(grep -c ' seeds 0 violations' "$out")
failed=$(grep ' seeds [0-9]* violations' "$out" | grep -vc ' seeds 0 violations')
caught=$(sed -n 's/^caught \([0-9]*\) of \([0-9]*\):.*/\1 \2/p' "$out")
if [ -n "$caught" ]; then
	passed=${caught% *}
	failed=$((${caught#* } - passed))
fi
# A simulator that ended early has counted too little.
if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
	failed=1
fi
bash tests/run.sh count "$kind" "$passed" "$failed" 0
exit "$status"
