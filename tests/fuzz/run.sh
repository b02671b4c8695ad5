#!/bin/bash
# run.sh - replays the corpus of every fuzz target, then lets each look for FUZZ_SECONDS (3).
#
#	tests/fuzz/run.sh FOLDER TARGET...      FOLDER/fuzz_TARGET are the programs
#
# Two test cases a target: the corpus, the search. What breaks a target is kept in
# $BUILD/fuzz/found/TARGET and named; put it into tests/fuzz/corpus/TARGET with the repair.
# What the search finds interesting stays in $BUILD/fuzz/work/TARGET for the next one.
set -u

cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
FUZZ_SECONDS=${FUZZ_SECONDS:-3}
JOBS=${JOBS:-$(nproc)}
export BUILD FUZZ_SECONDS
export ASAN_OPTIONS=${ASAN_OPTIONS:-abort_on_error=0:detect_leaks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}

# One target: its log, and "passed failed" beside it.
run_target() {
	local program=$1 name=$2 log=$3 passed=0 failed=0
	local found=$BUILD/fuzz/found/$name work=$BUILD/fuzz/work/$name
	local limits=(-timeout=10 -rss_limit_mb=2048 "-artifact_prefix=$found/")
	mkdir -p "$found" "$work"
	if timeout 120 "$program" "${limits[@]}" -runs=0 "tests/fuzz/corpus/$name" >"$log" 2>&1
	then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		tail -n 60 "$log" >"$log.told"
	fi
	if timeout $((FUZZ_SECONDS + 120)) "$program" "${limits[@]}" -max_len=4096 \
		"-max_total_time=$FUZZ_SECONDS" -print_final_stats=1 "$work" \
		"tests/fuzz/corpus/$name" >"$log" 2>&1; then
		passed=$((passed + 1))
		rmdir "$found" 2>/dev/null
	else
		failed=$((failed + 1))
		tail -n 60 "$log" >>"$log.told"
	fi
	echo "$passed $failed $(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" \
		>"$log.counts"
}

run_all() {
	local folder=$1 logs passed=0 failed=0 name p f n
	shift
	logs=$(mktemp -d "${TMPDIR:-/tmp}/chime-fuzz-logs-XXXXXX") || exit 1
	# shellcheck disable=SC2064  # the folder of now
	trap "rm -rf '$logs'" EXIT
	for name in "$@"; do
		printf '%s\0' "$folder/fuzz_$name" "$name" "$logs/$name"
	done | xargs -0 -r -n 3 -P "$JOBS" bash "$0" one
	for name in "$@"; do
		p=0 f=2 n=
		[ ! -s "$logs/$name.counts" ] || read -r p f n <"$logs/$name.counts"
		passed=$((passed + p)) failed=$((failed + f))
		echo "fuzz: $name: corpus of $(find "tests/fuzz/corpus/$name" -type f | wc -l)," \
			"${n:-no} inputs in $FUZZ_SECONDS s, $f failed"
		[ "$f" -eq 0 ] || cat "$logs/$name.told"
	done
	bash tests/run.sh count fuzz "$passed" "$failed" 0
}

if [ "${1-}" = one ]; then
	shift
	run_target "$@"
else
	run_all "$@"
fi
