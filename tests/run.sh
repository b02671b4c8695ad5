#!/bin/bash
# run.sh - runs the tests of one kind and counts their cases; total.sh adds the kinds up.
#
#	tests/run.sh KIND PROGRAM...        cmocka programs and .bats files
#	tests/run.sh count KIND P F S       adds to a kind's figures what another runner counted
#
# Prints what failed, whole, why something was skipped, and one line of figures. Status 1 when
# anything failed, or nothing was run. The figures stay in $BUILD/results/KIND.
#
# Environment: BUILD, JOBS (cmocka programs at a time, default: processors), E2E_JOBS (the same
# where there are .bats files, 3), TEST_SECONDS (limit of one program, 300).
# `sh tests/run.sh` does as well.
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
set -u

BUILD=${BUILD:-build}
JOBS=${JOBS:-$(nproc)}
TEST_SECONDS=${TEST_SECONDS:-300}
results=$BUILD/results
# For programs and .bats files that look for what was built.
CHIME_BUILD=$(realpath -m "$BUILD")
export BUILD CHIME_BUILD TEST_SECONDS

# ---- one program: its output in $1.out, "passed failed skipped" in $1.counts -----------------

run_cmocka() {
	local out=$1 program=$2 status total passed skipped failed
	# The shell's own word on a signal goes to nobody: it is said below.
	{
		CMOCKA_MESSAGE_OUTPUT=STDOUT timeout -k 5 "$TEST_SECONDS" "$program" \
			>"$out.out" 2>&1 </dev/null
		status=$?
	} 2>/dev/null
	total=$(sed -n 's/^\[==========\].*Running \([0-9]*\) test.*/\1/p' "$out.out" |
		add_lines)
	passed=$(grep -c '^\[       OK \]' "$out.out")
	skipped=$(grep '^\[  SKIPPED \]' "$out.out" | grep -vc 'test(s), listed below' || true)
	# cmocka lists the skipped a second time below its summary.
	if grep -q '^\[  SKIPPED \] [0-9]* test(s), listed below' "$out.out"; then
		skipped=$(sed -n 's/^\[  SKIPPED \] \([0-9]*\) test(s), listed below.*/\1/p' \
			"$out.out" | add_lines)
	fi
	# A crash takes the cases behind it along: they have failed too.
	failed=$((total - passed - skipped))
	if [ "$status" -ne 0 ] && [ "$failed" -le 0 ]; then
		failed=1
	fi
	[ "$failed" -ge 0 ] || failed=0
	if [ "$total" -eq 0 ] && [ "$status" -eq 0 ]; then
		echo "no test case was run" >>"$out.out"
		failed=1
	fi
	case $status in
	0) ;;
	124 | 137) echo "ended: still running after $TEST_SECONDS s" >>"$out.out" ;;
	*) [ "$status" -lt 128 ] ||
		echo "ended by signal $(kill -l $((status - 128)))" >>"$out.out" ;;
	esac
	echo "$passed $failed $skipped" >"$out.counts"
}

add_lines() {
	local total=0 number
	while read -r number; do
		total=$((total + number))
	done
	echo "$total"
}

run_bats() {
	local out=$1 file=$2 status plan passed failed skipped
	timeout -k 5 "$TEST_SECONDS" bats --tap "$file" >"$out.out" 2>&1 </dev/null
	status=$?
	plan=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$out.out" | head -n 1)
	skipped=$(grep -c '^ok .* # skip' "$out.out")
	passed=$(($(grep -c '^ok ' "$out.out") - skipped))
	failed=$((${plan:-0} - passed - skipped))
	if [ "$status" -ne 0 ] && [ "$failed" -le 0 ]; then
		failed=1
	fi
	if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
		echo "ended: still running after $TEST_SECONDS s" >>"$out.out"
	fi
	echo "$passed $failed $skipped" >"$out.counts"
}

run_one() {
	case $2 in
	*.bats) run_bats "$1" "$2" ;;
	*) run_cmocka "$1" "$2" ;;
	esac
}

# ---- a kind ----------------------------------------------------------------------------------

# What went wrong and what was left out, of one program.
tell_one() {
	local out=$1 program=$2 passed failed skipped
	read -r passed failed skipped <"$out.counts"
	if [ "$failed" -gt 0 ]; then
		echo "---- $program: $failed failed"
		cat "$out.out"
		echo "----"
	fi
	[ "$skipped" -gt 0 ] || return 0
	sed -n "s/^ok [0-9]* \(.*\) # skip *\(.*\)/skipped: \1: \2/p" "$out.out"
	# A cmocka case prints why before it skips.
	grep -iE '^skip[a-z]*:|^\[ NEEDS' "$out.out" || true
}

run_kind() {
	local kind=$1 work program number=0 outs=() passed=0 failed=0 skipped=0 p f s
	shift
	work=$(mktemp -d "${TMPDIR:-/tmp}/chime-tests-XXXXXX") || exit 1
	# Names for completion are kept by whoever lists jobs; not in the home of who runs tests.
	export XDG_CACHE_HOME=$work/cache
	# shellcheck disable=SC2064  # the folder of now
	trap "rm -rf '$work'" EXIT
	for program in "$@"; do
		number=$((number + 1))
		outs+=("$work/$number")
	done
	# End-to-end tests have groups, ports and namespaces of their own, and mostly wait.
	case " $* " in *.bats\ *) JOBS=${E2E_JOBS:-3} ;; esac
	number=0
	for program in "$@"; do
		printf '%s\0%s\0' "${outs[$number]}" "$program"
		number=$((number + 1))
	done | xargs -0 -r -n 2 -P "$JOBS" bash "$0" one
	number=0
	for program in "$@"; do
		if [ ! -s "${outs[$number]}.counts" ]; then
			echo "0 1 0" >"${outs[$number]}.counts"
			echo "$program was not run" >>"${outs[$number]}.out"
		fi
		read -r p f s <"${outs[$number]}.counts"
		passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
		tell_one "${outs[$number]}" "$program"
		number=$((number + 1))
	done
	add_figures "$kind" "$passed" "$failed" "$skipped"
}

# ---- figures ---------------------------------------------------------------------------------

add_figures() {
	mkdir -p "$results"
	echo "$2 $3 $4" >"$results/$1"
	echo "$1: $2 passed, $3 failed, $4 skipped"
	[ "$3" -eq 0 ] && [ $(($2 + $4)) -gt 0 ]
}

case ${1-} in
one)		# one program of a kind, called from above
	shift
	run_one "$@"
	;;
count)
	shift
	add_figures "$@"
	;;
'' | -*)
	sed -n 's/^# \{0,1\}//; 2,6p' "$0" >&2
	exit 2
	;;
*) run_kind "$@" ;;
esac
