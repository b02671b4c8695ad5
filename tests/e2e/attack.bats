#!/usr/bin/env bats
# attack.bats - P8, P9: what somebody on the network, with the group key, or with the key of one
# server may do. attack/attacker.c does it; CHIME_ATTACK_TIMES=N does it N times as long.
# bats file_tags=e2e

bats_require_minimum_version 1.5.0
load lib.bash

setup_file() {
	env_make alpha bravo evil
	jobs_write chain.yaml <<-'END'
	job: extract
	server: alpha
	overlap: parallel 20
	run: "true"
	---
	job: load
	server: bravo
	after: success(extract@alpha)
	overlap: queue 50
	run: "true"
	---
	job: ok
	server: evil
	run: "true"
	END
	# shellcheck disable=SC2086
	server_start $SERVERS
	env_together
	chain 2025-01
	# Known to all, and gone: the attacker has what it had.
	server_kill evil
	wait_until 10 "quiet" same_on_both
}
teardown_file() { env_down; }

TIMES=${CHIME_ATTACK_TIMES:-1}
attack() {
	local dir=$1
	shift
	ASAN_OPTIONS=detect_leaks=0 timeout 60 "$BUILD/attacker" "$T/$dir" "$GROUP:$BUS_PORT" "$@"
}
# state SERVER - a digest of what the server believes, its peers' marks apart
state() {
	local copy
	copy=$(mktemp -d "$T/copy.XXXXXX")
	cp "$T/$1"/data/history.db* "$copy/"
	sqlite3 "$copy/history.db" "SELECT * FROM jobs; SELECT * FROM runs; SELECT * FROM lineages" |
		sha256sum
	rm -rf "$copy"
}
both() { state alpha && state bravo; }
told() { json "$1" events --limit 10000 '[.events[] | [.server, .seq, .kind]] | sort | tostring'; }
same_on_both() { [[ $(told alpha) == "$(told bravo)" ]]; }
chain() {
	local before
	before=$(runs bravo load@bravo SUCCESS)
	on alpha start --yes --reason attacked --cycle "$1" extract@alpha >/dev/null
	wait_until 10 "the chain goes on" has_runs bravo load@bravo $((before + 1)) SUCCESS
}
rss_kib() { awk '/VmRSS/ {print $2}' "/proc/$(server_pid "$1")/status"; }
healthy() {
	local name
	for name in alpha bravo; do
		! gone "$(server_pid "$name")"
		on "$name" server ls >/dev/null
		(($(find "/proc/$(server_pid "$name")/fd" -mindepth 1 | wc -l) < 300))
		(($(rss_kib "$name") < 600000))
	done
	! grep -hE 'runtime error|AddressSanitizer|[Aa]ssertion' "$T"/*.log
}
# changes_nothing ATTACK... - the state before and after is one
changes_nothing() {
	local before
	before=$(both)
	attack evil "$@"
	on alpha server ls >/dev/null	# what was heard is behind us
	on bravo server ls >/dev/null
	[ "$(both)" = "$before" ]
	healthy
}

@test "P8 junk, with and without the right beginning" { changes_nothing junk $((3000 * TIMES)); }

@test "P8 recorded datagrams: as they are, cut, longer, with flipped bits" {
	attack evil record "$T/tape" 40 &
	chain 2025-02
	wait $!
	wait_until 10 "quiet" same_on_both
	changes_nothing replay "$T/tape"
}

@test "P8 datagrams full of empty parts" { changes_nothing bomb $((300 * TIMES)); }

@test "P9 heads of another, signed by a server of the environment" {
	changes_nothing heads alpha $((200 * TIMES))
}

@test "P9 a buffer full of frames nobody will prove does not stop the log" {
	changes_nothing frames alpha $((6000 * TIMES)) 900
	chain 2025-03
}

@test "senders that are none lead to few connections" {
	changes_nothing names $((2000 * TIMES)) 9
	chain 2025-04
}

@test "a server's key: two histories, heads far ahead, absurd fields" {
	attack evil far 100 300
	attack evil twice 5000
	attack evil absurd 7000
	healthy
	for ask in ls status "runs --limit 1000" "events --limit 1000" "server ls" "show ok@evil" \
		"why ok@evil" next; do
		# shellcheck disable=SC2086
		on bravo $ask >"$T/said"
		run grep -q $'\x1b' "$T/said"
		[ "$status" -eq 1 ]
		# shellcheck disable=SC2086
		on bravo $ask --json | jq -e . >/dev/null
	done
	run grep -q '^level=error' "$T/bravo.log"
	[ "$status" -eq 1 ]
	chain 2025-05
	server_kill bravo TERM
	server_start bravo
	chain 2025-06
}

@test "a server's certificate asks nothing that people ask" {
	local field body exit
	attack evil ask "$(<"$T/alpha/address")" >"$T/told"
	while read -r field body exit; do
		((field >= 64)) || [ "$body $exit" = "17 4" ] || [ "$body $exit" = "17 2" ]
	done <"$T/told"
	(($(wc -l <"$T/told") == 21))
}

@test "control stream: lengths and messages that are none, silent crowds, many follows" {
	attack alice garbage "$(<"$T/alpha/address")" 40
	attack alice crowd "$(<"$T/alpha/address")" 300 0
	attack alice followers "$(<"$T/alpha/address")" 200 0
	attack alice targets "$(<"$T/alpha/address")" 20000
	healthy
	chain 2025-07
}
