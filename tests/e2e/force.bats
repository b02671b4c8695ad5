#!/usr/bin/env bats
# force.bats - force-start from a shell, on another server's job, and the exit codes.
# bats file_tags=e2e

bats_require_minimum_version 1.5.0
load lib.bash

setup_file() {
	env_up alpha bravo charlie <<-'END'
	job: load
	server: alpha
	run: "true"
	---
	job: eod/report
	server: bravo
	after: success(load@alpha)
	run: "echo $CHIME_RUN $CHIME_CAUSE >> report.txt"
	---
	job: mail
	server: charlie
	after: success(eod/report@bravo)
	run: "echo $CHIME_RUN >> mail.txt"
	---
	job: quiet
	server: charlie
	run: "true"
	---
	job: bad
	server: bravo
	run: exit 7
	---
	job: slow
	server: bravo
	run: sleep 1000
	kill_grace: 1s
	---
	job: signalled
	server: bravo
	run: kill -SEGV $$
	---
	job: nowhere
	server: charlie
	run: [/no/such/program]
	---
	job: limited
	server: charlie
	max_time: 1s
	kill_grace: 1s
	run: sleep 1000
	END
	# A person's shell: the socket of no server, one address of another server than the job's.
	export CHIME_CONFIG=$T/alice/chime.yaml
}
teardown_file() { env_down; }
via_alpha() { chime --config "$T/alice/chime.yaml" --via "$(<"$T/alpha/address")" "$@"; }

@test "force --dry-run shows what it ignores and what follows, and starts nothing" {
	run via_alpha start --force --dry-run eod/report@bravo
	[ "$status" = 0 ]
	says "IGNORES"
	says "success(load@alpha)"
	says "mail@charlie"
	says "dry run"
	[ "$(runs bravo eod/report@bravo)" = 0 ]
}

@test "force without a terminal, without --yes or without a reason: exit 2, nothing started" {
	refuses 2 via_alpha start --force eod/report@bravo </dev/null
	says "try:"
	refuses 2 via_alpha start --force --yes eod/report@bravo </dev/null
	says "--reason"
	[ "$(runs bravo eod/report@bravo)" = 0 ]
}

@test "force-start through another server runs at the owner, and others act on it" {
	run via_alpha start --force --yes --reason INC-4711 --wait eod/report@bravo
	[ "$status" = 0 ]
	says "forced by alice"
	says "SUCCESS"
	wait_run charlie mail@charlie SUCCESS
	[ "$(wc -l <"$T/out/report.txt")" = 1 ]
	[[ $(<"$T/out/report.txt") == *" force" ]]
	[ "$(wc -l <"$T/out/mail.txt")" = 1 ]
}

@test "every server has the event with actor, reason and the conditions that were ignored" {
	for server in $SERVERS; do
		wait_run "$server" eod/report@bravo SUCCESS
		run events "$server" 'select(.kind == "run.created" and .job == "eod/report") |
			[.by, .reason, .body.cause, .body.forced, (.body.unmet | tostring)] | tostring'
		says '"alice","INC-4711","FORCE",true'
		says 'load@alpha'
		[ "$(json "$server" runs eod/report@bravo '.runs[0] | [.forced, .by, .reason] | tostring')" \
			= '[true,"alice","INC-4711"]' ]
	done
}

@test "the person connects to the owner: the command is in the owner's log, with the identity" {
	[ "$(events alpha 'select(.kind == "run.created" and .job == "eod/report") | .server')" = bravo ]
}

@test "force --no-downstream starts nothing behind it" {
	local before
	before=$(runs charlie mail@charlie)
	via_alpha start --force --yes --reason again --no-downstream --wait eod/report@bravo
	wait_until 10 "charlie has it" has_runs charlie eod/report@bravo 2 SUCCESS
	wait_until 10 "equal logs" same_logs
	[ "$(runs charlie mail@charlie)" = "$before" ]
}

@test "--wait gives 1 for any other outcome than success, --json tells which" {
	refuses 1 via_alpha start --force --yes --reason r --wait bad@bravo
	says FAILED
	run -1 via_alpha start --force --yes --reason r --wait --json bad@bravo
	[ "$(jq -r '.effects[0] | [.result, .state, .exit] | tostring' <<<"$output")" \
		= '["done","FAILED",7]' ]
	refuses 1 via_alpha start --force --yes --reason r --wait signalled@bravo
	says "signal 11"
	refuses 1 via_alpha start --force --yes --reason r --wait nowhere@charlie
	says "/no/such/program"
	refuses 1 via_alpha start --force --yes --reason r --wait limited@charlie
	says TIMEOUT
}

@test "--wait gives 6 when time runs out, the run goes on" {
	refuses 6 via_alpha start --force --yes --reason r --wait --timeout 1s slow@bravo
	wait_run alpha slow@bravo RUNNING
	refuses 1 via_alpha start --force --yes --reason r slow@bravo
	says "running"
	says "try:"
	via_alpha kill --yes --reason r slow@bravo
	wait_run alpha slow@bravo KILLED
}

@test "exit 3: nothing matches, with the nearest name; nothing is started" {
	refuses 3 via_alpha start --force --yes --reason r eod/reprot@bravo
	says "eod/report@bravo"
}

@test "exit 2: an unknown command or option, with the nearest" {
	refuses 2 via_alpha strat quiet
	says start
	refuses 2 via_alpha start --farce quiet@charlie
	says --force
	refuses 2 via_alpha start
}

@test "exit 4: over a socket only the jobs of its own server are acted on" {
	refuses 4 chime --config /dev/null --via "$T/alpha/control.sock" start --force --yes --reason r \
		quiet@charlie
	says "try:"
	[ "$(runs charlie quiet@charlie)" = 0 ]
	chime --via "$T/charlie/control.sock" start --force --yes --reason r --wait quiet@charlie
}

@test "exit 5: nobody answers" {
	refuses 5 chime --via "$T/nothing.sock" ls
	says "nothing"
	refuses 5 chime --config "$T/alice/chime.yaml" --via 127.0.0.1:9 --timeout 2s ls
	says "127.0.0.1:9"
}

@test "one key has one effect, however often it is sent" {
	local key=00112233445566778899aabbccddeeff before
	before=$(runs charlie quiet@charlie)
	via_alpha start --force --yes --reason once --key $key quiet@charlie
	run via_alpha start --force --yes --reason once --key $key quiet@charlie
	wait_until 10 "charlie has it" has_runs charlie quiet@charlie $((before + 1)) SUCCESS
	wait_until 10 "equal logs" same_logs
	[ "$(runs alpha quiet@charlie)" = $((before + 1)) ]
}

@test "--via by a server's name, and discovery without a list" {
	run chime --config "$T/alice/chime.yaml" --via charlie server ls --json
	[ "$status" = 0 ]
	[ "$(jq -r .via <<<"$output")" = charlie ]
	grep -v '^servers:' "$T/alice/chime.yaml" >"$T/alice/bare.yaml"
	run chime --config "$T/alice/bare.yaml" start --force --yes --reason found --wait quiet@charlie
	[ "$status" = 0 ]
}

@test "--wait never misses an end that comes in the turn it asked in" {
	# The second is waited for when it has just ended.
	for round in {1..25}; do
		timeout 10 chime --config "$T/alice/chime.yaml" --via "$(<"$T/alpha/address")" start --yes \
			--reason r --expect 2 --wait load@alpha quiet@charlie >/dev/null
	done
}
