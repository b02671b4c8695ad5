#!/usr/bin/env bash
# bench.bash - figures of this machine: chime's beside the floor, all in one run.
#
#	BUILD=build bash tests/bench/bench.bash
#
# PAIRS (200) handoffs, EVENTS (20000) events through one server, on loopback. The floor and chime
# use the same folder ($TMPDIR): a memory file system would flatter both.

set -eu
BATS_TEST_DIRNAME=$(cd "$(dirname "${BASH_SOURCE[0]}")/../e2e" && pwd)
BATS_TMPDIR=${TMPDIR:-/tmp}
. "$BATS_TEST_DIRNAME/lib.bash"

PAIRS=${PAIRS:-200} EVENTS=${EVENTS:-20000} JOBS_HELD=${JOBS_HELD:-1000}

trap env_down EXIT

# "p50 p99 max" in milliseconds of the microseconds on stdin
spread() {
	sort -n | awk '{ v[NR] = $1 } END {
		printf "%.2f %.2f %.2f\n", v[int((NR + 1) / 2)] / 1000, v[int(NR * 0.99 + 0.999)] / 1000, v[NR] / 1000 }'
}
row() { printf '%-44s %9s %9s %9s\n' "$@"; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.1fx", a / b }'; }

prepare() {
	env_make alpha bravo charlie delta
	{
		cat <<-END
		job: producer
		server: alpha
		# Long enough that its start is history when it ends, as with any real job.
		run: [$BUILD/truth, $T/truth, "30"]
		---
		job: consumer
		server: bravo
		after: success(producer@alpha)
		run: [$BUILD/truth, $T/truth]
		---
		job: forced
		server: bravo
		run: [$BUILD/truth, $T/forced]
		END
		for ((i = 0; i < JOBS_HELD; i++)); do
			printf -- '---\njob: held/j%d\nserver: alpha\nrun: "true"\n' "$i"
		done
	} | jobs_write bench.yaml
	# Only the two of the handoff: others would share this machine's one disk with them.
	server_start alpha bravo
	for name in alpha bravo; do
		wait_until 20 "$name hears both" hears "$name" 2
		wait_until 20 "$name has all" has_all_of_alpha "$name"
	done
}

# The others, for the events: they begin by taking what they missed.
prepare_four() {
	server_start charlie delta
	env_together
	for name in $SERVERS; do wait_until 20 "$name has all" has_all_of_alpha "$name"; done
}

# Has SERVER stored alpha's log to its end?
has_all_of_alpha() {
	local want
	want=$(seq_of alpha)
	(($(seq_of "$1") >= want))
}
seq_of() { json "$1" server ls '.servers[] | select(.server == "alpha") | .seq'; }

measure_handoff() {
	local i
	for ((i = 1; i <= PAIRS; i++)); do
		on alpha start --yes --reason bench producer@alpha >/dev/null
		# Looked for late and seldom: the looking must not be what is measured.
		sleep 0.1
		wait_until 20 "pair $i" lines_are "$T/truth" $((i * 4))
		wait_until 20 "pair $i has ended" last_is bravo consumer@bravo SUCCESS
	done
	sort -n -k6,6 "$T/truth" | awk '
		$4 == "producer" && $7 == "end" { ended = $6 }
		$4 == "consumer" && $7 == "start" { print $6 - ended }' | spread
}

# measure_force HOW... - from the start of the command to the start of the job's process
measure_force() {
	local i from
	rm -f "$T/forced"
	for ((i = 1; i <= 50; i++)); do
		from=$("$BUILD/floor" now)
		"$@" start --force --yes --reason bench forced@bravo >/dev/null
		wait_until 20 "force $i" lines_are "$T/forced" $((i * 2))
		wait_until 20 "force $i has ended" last_is bravo forced@bravo SUCCESS
		echo $(($(awk '$7 == "start" { t = $6 } END { print t }' "$T/forced") - from))
	done | spread
}

# Events/s: holds and releases, one event each, until all three others have stored the last.
measure_events() {
	local from to sent=0 verb=hold name
	from=$("$BUILD/floor" now)
	while ((sent < EVENTS)); do
		on alpha $verb --yes --expect "$JOBS_HELD" --reason bench 'held/*@alpha' >/dev/null
		sent=$((sent + JOBS_HELD))
		[[ $verb == hold ]] && verb=release || verb=hold
	done
	to=$("$BUILD/floor" now)
	for name in bravo charlie delta; do wait_until 120 "$name has all" has_all_of_alpha "$name"; done
	echo "$sent $((to - from)) $(($("$BUILD/floor" now) - from))"
}

ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
kib() { awk -v key="$2:" '$1 == key { print $2 }' "/proc/$1/smaps_rollup"; }

measure_idle() {
	local pid launcher before after seconds=10
	pid=$(server_pid delta) launcher=$(launcher_pid delta)
	before=$(($(ticks "$pid") + $(ticks "$launcher")))
	sleep $seconds		# the measurement itself: idle time
	after=$(($(ticks "$pid") + $(ticks "$launcher")))
	printf 'chimed RSS %d KiB (private %d), chime-launcher RSS %d KiB (private %d), CPU %s %% of a core\n' \
		"$(kib "$pid" Rss)" "$(kib "$pid" Private_Dirty)" "$(kib "$launcher" Rss)" \
		"$(kib "$launcher" Private_Dirty)" \
		"$(awk -v t=$((after - before)) -v s=$seconds -v hz="$(getconf CLK_TCK)" \
			'BEGIN { printf "%.2f", t * 100 / hz / s }')"
}

prepare
export CHIME_RUN=1
floor=$("$BUILD/floor" handoff "$T" "$PAIRS" "$BUILD/truth" /dev/null | spread)
read -r f50 f99 fmax <<<"$floor"
read -r h50 h99 hmax < <(measure_handoff)
floor=$("$BUILD/floor" handoff "$T" "$PAIRS" "$BUILD/truth" /dev/null | spread)
read -r g50 g99 gmax <<<"$floor"

echo "chime on $(nproc) processors, $(df --output=fstype "$T" | tail -n 1) at $BATS_TMPDIR;" \
	"two servers on loopback, then four; load $(cut -d' ' -f1-3 /proc/loadavg)"
echo
row "milliseconds" p50 p99 worst
row "end of a job -> its consumer runs elsewhere" "$h50" "$h99" "$hmax"
row "  floor: fdatasync + datagram + fork/exec" "$f50" "$f99" "$fmax"
row "  the same again, afterwards" "$g50" "$g99" "$gmax"
row "  ratio to the floor" "$(ratio "$h50" "$f50")" "$(ratio "$h99" "$f99")" "$(ratio "$hmax" "$fmax")"
row "  aim" 5 20 -
read -r a b c < <(measure_force on bravo)
row "force-start, command to process, socket" "$a" "$b" "$c"
read -r a b c < <(measure_force as alice bravo)
row "force-start, command to process, mTLS" "$a" "$b" "$c"
echo
prepare_four
idle=$(measure_idle)
sqlite1=$("$BUILD/floor" sqlite "$T" 500 1)
sqlite=$("$BUILD/floor" sqlite "$T" 100000 "$JOBS_HELD")
read -r sent made_us all_us < <(measure_events)
awk -v n="$sent" -v a="$made_us" -v b="$all_us" -v s="$sqlite" -v s1="$sqlite1" 'BEGIN {
	printf "%-44s %9d\n", "events/s, one server, durable there", n * 1e6 / a
	printf "%-44s %9d\n", "events/s, durable at three others too", n * 1e6 / b
	printf "%-44s %9d\n", "  sqlite rows/s, 1000 a transaction", s
	printf "%-44s %9d\n", "  sqlite rows/s, 1 a transaction", s1
	printf "%-44s %8.1f%%\n", "  of the batch rate, one database", n * 1e8 / b / s
	printf "%-44s %8.1f%%\n", "  of the batch rate, all four databases", 4 * n * 1e8 / b / s }'
echo
echo "idle: $idle"
