#!/usr/bin/env bash
# monitor.bash - figures of the monitor: first picture, keys, events, with many jobs and events.
#
#	BUILD=build bash tests/bench/monitor.bash
#
# JOBS (10000), RATE (200) events a second, SEEN (60) events whose way to the screen is timed.
# tmux is looked at every few milliseconds, so those figures are that much too high.

set -eu
BATS_TEST_DIRNAME=$(cd "$(dirname "${BASH_SOURCE[0]}")/../e2e" && pwd)
BATS_TMPDIR=${TMPDIR:-/tmp}
. "$BATS_TEST_DIRNAME/lib.bash"
. "$BATS_TEST_DIRNAME/tmux.bash"

JOBS=${JOBS:-10000} RATE=${RATE:-200} SEEN=${SEEN:-60} SECONDS_EACH=${SECONDS_EACH:-10}
trap 'mon_stop; env_down' EXIT
row() { printf '%-52s %9s %9s %9s\n' "$@"; }

prepare() {
	env_make alpha bravo
	printf 'job: tick\nserver: bravo\nrun: "true"\n' | jobs_write tick.yaml
	for ((i = 0; i < JOBS; i += 1000)); do
		for ((k = i; k < i + 1000 && k < JOBS; k++)); do
			((k == i)) || echo ---
			printf 'job: many/j%05d\nserver: alpha\nrun: "true"\n' "$k"
		done | jobs_write "many$i.yaml"
	done
	server_start alpha bravo
	env_together
	wait_until 60 "bravo has all jobs" has_all bravo
}
has_all() { [[ $(json "$1" ls '.jobs | length') == $((JOBS + 1)) ]]; }

glance() {
	"$BUILD/glance" "$1" "$2" "$3" "$4" "$BUILD/chime" --config "$T/alice/chime.yaml" \
		--via "$(<"$T/alpha/address")" monitor "${@:5}"
}

# RATE events a second: holds and releases of that many jobs, in turn.
load() {
	local verb=hold
	while :; do
		on alpha $verb --yes --expect "$RATE" --reason load "${held[@]}" >/dev/null 2>&1 || true
		[[ $verb == hold ]] && verb=release || verb=hold
		sleep 0.93
	done
}

# From the server's own instant of the event to the first look at the screen that shows it.
seen_us() {
	local run at
	run=$(on bravo start tick@bravo | sed -n 's/.* run \([0-9]*\).*/\1/p')
	until mon_screen | grep -q "run.ended.* $run@bravo"; do :; done
	at=${EPOCHREALTIME/./}
	json bravo events --limit 50 "[.events[] | select(.kind == \"run.ended\" and .run == $run)][0].time" |
		{ read -r iso; echo $((at - $(date -d "$iso" +%s%6N))); }
}

prepare
held=()
for ((i = 0; i < RATE; i++)); do held+=("$(printf 'many/j%05d@alpha' "$i")"); done
echo "monitor on $(nproc) processors, $((JOBS + 1)) jobs of two servers; load $(cut -d' ' -f1-3 /proc/loadavg)"
row "milliseconds" p50 p99 worst
read -r first data p50 p99 worst cpu < <(glance 50x160 many/j0000 200 "$SECONDS_EACH")
row "a key to the picture, idle" "$p50" "$p99" "$worst"
load &
loader=$!
read -r _ _ p50 p99 worst busy < <(glance 50x160 many/j0000 200 "$SECONDS_EACH")
row "a key to the picture, $RATE events/s" "$p50" "$p99" "$worst"
kill $loader
wait $loader 2>/dev/null || true
MON_ENV="TZ=UTC" mon_start 120x40 xterm-256color C.UTF-8 --config "$T/alice/chime.yaml" \
	--via "$(<"$T/alpha/address")"
mon_shows 'LIVE group'
mon_keys 5
mon_shows 'WHAT|KIND'
read -r p50 p99 worst < <(for ((i = 0; i < SEEN; i++)); do seen_us; done | sort -n |
	awk '{ v[NR] = $1 } END { printf "%.1f %.1f %.1f\n", v[int((NR + 1) / 2)] / 1000,
		v[int(NR * 0.99 + 0.999)] / 1000, v[NR] / 1000 }')
row "end of a run to the screen, by the group" "$p50" "$p99" "$worst"
echo
row "first picture; with the jobs" "$first" "$data" ""
row "processor, idle; $RATE events/s (% of one)" "$cpu" "$busy" ""
