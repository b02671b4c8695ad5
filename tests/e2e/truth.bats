#!/usr/bin/env bats
# truth.bats - the truth file, short: 3 servers, 30 jobs, kill -9 at random, 20 % loss.
# `make soak` does the same for ten minutes. Trials of one run bound nothing by themselves: the
# number of kills and runs is printed.
# bats file_tags=e2e

bats_require_minimum_version 1.5.0
load lib.bash
load truth/truth.bash

: "${TRUTH_SECONDS:=12}" "${TRUTH_EVERY:=2s}"

teardown() { env_down; }

@test "P1 P5 P10 P19 what ran is what all servers list, under kill -9 and 20 % loss" {
	if [[ $(id -u) -eq 0 ]]; then
		env_make_net alpha bravo charlie
	else
		echo "# without root there is no loss: no network namespaces" >&3
		env_make alpha bravo charlie
	fi
	truth_jobs "$TRUTH_EVERY"
	# shellcheck disable=SC2086
	server_start $SERVERS
	env_together
	if [[ -f $T/net ]]; then
		for server in $SERVERS; do net_drop "$server" 20; done
	fi
	truth_faults "$TRUTH_SECONDS"
	# Sources have no further slot today; what is under way or queued ends, still with loss. (If
	# they were disabled instead, a queued run would wait for ever, and rightly.)
	truth_jobs 8779h
	for server in $SERVERS; do
		wait_until 20 "$server reloads" on "$server" reload
	done
	wait_until 60 "all quiet" truth_quiet
	run truth_check
	echo "$output"
	[ "$status" = 0 ]
	sed "s/^/# /" <<<"$output" >&3
}

@test "the checker finds what it must find" {
	T=$(mktemp -d) SERVERS=""
	export T SERVERS
	printf '%s\n' '3 1 alpha s 10 1000 start -1' '3 1 alpha s 10 2000 end 0' \
		'5 1 bravo c 11 3000 start -1' '5 1 bravo c 11 4000 end 0' >"$T/truth"
	echo 'c@bravo s@alpha' >"$T/after"
	echo 'alpha 6 s 3 SUCCESS day' >"$T/ended"
	printf '%s\n' 'alpha 3 s SUCCESS 0 schedule day -' \
		'bravo 5 c SUCCESS 0 condition day alpha:6' >"$T/runs-a"
	cp "$T/runs-a" "$T/runs-b"
	checks 0
	# Each line is one lie; each must be found.
	echo '3 1 alpha s 12 1500 start -1' >>"$T/truth"; checks P5; sed -i '$d' "$T/truth"
	echo '9 1 alpha s 12 1500 start -1' >>"$T/truth"; checks P5; sed -i '$d' "$T/truth"
	sed -i '1s/SUCCESS 0/FAILED 1/' "$T/runs-b"; checks P10; cp "$T/runs-a" "$T/runs-b"
	sed -i 1d "$T/runs-b"; checks P10; cp "$T/runs-a" "$T/runs-b"
	sed -i '2s/SUCCESS/LOST/' "$T/runs-a" "$T/runs-b"; checks P1
	sed -i '2s/LOST 0/SUCCESS 3/' "$T/runs-a" "$T/runs-b"; checks P1
	sed -i '2s/SUCCESS 3/SKIPPED -/' "$T/runs-a" "$T/runs-b"; checks P5
	sed -i '2s/SKIPPED -/SUCCESS 0/; 2s/alpha:6/-/' "$T/runs-a" "$T/runs-b"; checks P19
	sed -i '2s/-$/alpha:6/' "$T/runs-a" "$T/runs-b"
	sed -i '3s/3000/1500/' "$T/truth"; checks P4; sed -i '3s/1500/3000/' "$T/truth"
	echo 'alpha 9 s 7 SUCCESS day' >>"$T/ended"; checks P19
	rm -r "$T"
}
checks() {
	run awk -v lost=0 -f "$BATS_TEST_DIRNAME/truth/check.awk" kind=truth "$T/truth" \
		kind=after "$T/after" kind=ended "$T/ended" kind=runs by=a "$T/runs-a" by=b "$T/runs-b"
	if [[ $1 == 0 ]]; then
		[ "$status" = 0 ]
	else
		[ "$status" = 1 ] && [[ $output == *"VIOLATION $1"* ]]
	fi || { echo "wanted $1: $output" >&2; return 1; }
}
