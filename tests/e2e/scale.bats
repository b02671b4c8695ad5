#!/usr/bin/env bats
# scale.bats - 8 servers in namespaces with 500 jobs: a hundred chains of five over all of them.
# bats file_tags=e2e

bats_require_minimum_version 1.5.0
load lib.bash
load truth/truth.bash

setup_file() {
	[[ $(id -u) -eq 0 ]] || return 0
	local c s names=(n1 n2 n3 n4 n5 n6 n7 n8)
	env_make_net "${names[@]}"
	for ((c = 0; c < 100; c++)); do
		for ((s = 0; s < 5; s++)); do
			((c + s == 0)) || echo ---
			printf 'job: c%d/s%d\nserver: %s\n' $c $s "${names[(c + s * 3) % 8]}"
			if ((s > 0)); then
				printf 'after: success(c%d/s%d@%s)\n' $c $((s - 1)) \
					"${names[(c + s * 3 - 3) % 8]}"
				echo "c$c/s$s@${names[(c + s * 3) % 8]}" \
					"c$c/s$((s - 1))@${names[(c + s * 3 - 3) % 8]}" >>"$T/after"
			fi
			printf 'run: [%s, %s]\n' "$BUILD/truth" "$T/truth"
		done
	done | jobs_write scale.yaml
	server_start "${names[@]}"
	env_together
}
teardown_file() { env_down; }
setup() { [[ $(id -u) -eq 0 ]] || skip "needs root: network namespaces"; }

all_jobs_known() {
	local name
	for name in $SERVERS; do [[ $(json "$name" ls '.jobs | length') == 500 ]] || return 1; done
}
all_ran() {
	local name
	for name in $SERVERS; do
		[[ $(json "$name" status '.counts.SUCCESS') == 500 ]] || return 1
	done
}

@test "every server knows all 500 jobs" { wait_until 20 "500 jobs everywhere" all_jobs_known; }

@test "500 runs, each once, with its cause, listed alike by all 8" {
	local name heads
	for name in $SERVERS; do
		mapfile -t heads < <(json "$name" ls '.jobs[] | select(.server == "'"$name"'" and
			(.name | endswith("/s0"))) | "\(.name)@\(.server)"')
		on "$name" start --yes --expect "${#heads[@]}" --reason scale "${heads[@]}" >/dev/null &
	done
	wait_until 60 "500 successes on 8 servers" all_ran
	echo "# $(awk 'NR == 1 || $6 < a {a = $6} $6 > b {b = $6} END {printf "%.1f s from the first start to the last end", (b - a) / 1e6}' "$T/truth")" >&3
	wait_until 30 "all quiet" truth_quiet
	run truth_check
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *" 8 servers list 500 runs, 400 made by conditions; 500 processes; 500 SUCCESS, 0 violations"* ]]
	echo "# ${lines[-1]}" >&3
}
