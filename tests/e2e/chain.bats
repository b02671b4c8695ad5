#!/usr/bin/env bats
# chain.bats - three servers, one chain of jobs, and what people do to it.
# bats file_tags=e2e

bats_require_minimum_version 1.5.0
load lib.bash

setup_file() {
	env_up alpha bravo charlie <<-'END'
	job: extract
	server: alpha
	at: "00:00"
	run: "echo rows > extract.txt; sleep 0.1"
	---
	job: load
	server: bravo
	after: success(extract@alpha)
	run: "cat extract.txt > load.txt"
	---
	job: report
	server: charlie
	after: success(load@bravo)
	run: "cat load.txt > report.txt"
	---
	job: alert
	server: charlie
	after: failure(broken@bravo)
	run: "echo alerted >> alert.txt"
	---
	job: broken
	server: bravo
	run: exit 3
	---
	job: held
	server: bravo
	after: success(feeder@alpha)
	run: "true"
	---
	job: feeder
	server: alpha
	run: "true"
	---
	job: unmet
	server: bravo
	after: success(never@alpha) and success(extract@alpha)
	run: "true"
	---
	job: never
	server: alpha
	run: "true"
	---
	job: tree
	server: alpha
	run: |
	  sleep 1000 &
	  setsid sh -c 'sleep 1000 & setsid sleep 1000' &
	  wait
	kill_grace: 1s
	---
	job: alone
	server: alpha
	run: sleep 1000
	kill_grace: 2s
	overlap: skip
	---
	job: told
	server: charlie
	run: 'env > told.txt; echo out; echo err >&2'
	END
}
teardown_file() { env_down; }

@test "a chain runs over three servers, each job once" {
	as alice alpha start --force --yes --reason chain extract@alpha
	wait_run charlie report@charlie SUCCESS
	[ "$(cat "$T/out/report.txt")" = rows ]
	for server in $SERVERS; do
		wait_run "$server" report@charlie SUCCESS
		[ "$(runs "$server" extract@alpha)" = 1 ]
		[ "$(runs "$server" load@bravo)" = 1 ]
		[ "$(runs "$server" report@charlie)" = 1 ]
	done
}

@test "each consumer names its producer's end as proof, and that came first" {
	local proof from ended created
	wait_run alpha report@charlie SUCCESS
	for job in load@bravo:extract report@charlie:load; do
		proof=$(json alpha runs "${job%:*}" '.runs[0].proofs[0]')
		from=${proof%:*}
		ended=$(events alpha "select(.server == \"$from\" and .seq == ${proof#*:}) |
			.kind + \" \" + .job + \" \" + .body.state")
		[ "$ended" = "run.ended ${job#*:} SUCCESS" ]
		ended=$(json alpha runs "${job#*:}@$from" '.runs[0].ended')
		created=$(json alpha runs "${job%:*}" '.runs[0].started')
		[[ ! $created < $ended ]]
	done
}

@test "a failure starts what waits for one, and blocks what waits for success" {
	as alice bravo start --yes --reason try broken@bravo
	wait_run charlie alert@charlie SUCCESS
	wait_run alpha broken@bravo FAILED
	[ "$(json alpha runs broken@bravo '.runs[0].exit')" = 3 ]
	[ "$(wc -l <"$T/out/alert.txt")" = 1 ]
	refuses 1 on charlie status --check
}

@test "all three logs are equal" {
	wait_until 10 "equal logs" same_logs
}

@test "runs --json has the members of the contract, in every state" {
	local keys
	keys=$(json bravo runs --limit 100 '.schema')
	[ "$keys" = chime.runs/1 ]
	json bravo runs --limit 100 '.runs[] | keys_unsorted | join(" ")' | sort -u >"$T/keys"
	[ "$(wc -l <"$T/keys")" = 1 ]
	keys="job server run state exit signal cycle slot cause forced by reason"
	keys+=" attempts created started ended late_s proofs"
	[[ $(<"$T/keys") == "$keys"* ]]
	json bravo runs --limit 100 '.runs[] | select(.job == "extract") |
		[.server, .state, .exit, .signal, .slot, .cause, .forced, .by, .reason, .attempts,
		 (.run | type), (.cycle | test("^[0-9]{4}-[0-9]{2}-[0-9]{2}$")),
		 (.created | test("^[0-9-]{10}T[0-9:]{8}([.][0-9]{3})?Z$")), (.late_s | type),
		 .proofs] | tostring' >"$T/extract"
	[ "$(cat "$T/extract")" = '["alpha","SUCCESS",0,null,null,"force",true,"alice","chain",1,"number",true,true,"number",[]]' ]
	# Newest first, and --limit.
	[ "$(json bravo runs --limit 100 '[.runs[].created] | . == (sort | reverse)')" = true ]
	[ "$(json bravo runs --limit 2 '.runs | length')" = 2 ]
}

@test "ls, status and server ls agree and have their schemas" {
	[ "$(json charlie ls '.schema + " " + (.complete | tostring)')" = "chime.jobs/1 true" ]
	[ "$(json charlie ls '[.jobs[] | keys_unsorted | tostring] | unique | length')" = 1 ]
	[ "$(json charlie status '.schema')" = chime.status/1 ]
	[ "$(json charlie status '.counts.FAILED')" -ge 1 ]
	[ "$(json charlie server ls '[.servers[].state] | unique | tostring')" = '["UP"]' ]
}

@test "why names every atom with its proof" {
	run on alpha why load@bravo
	[ "$status" = 0 ]
	says "extract@alpha"
	[ "$(json alpha why load@bravo '.schema')" != null ]
}

@test "a hold keeps a job from starting, a release lets what waited start" {
	as alice bravo hold --yes --reason 'disk swap' held@bravo
	wait_until 10 "alpha sees the hold" \
		test "$(json alpha ls held@bravo '.jobs[0].held')" != false
	as alice alpha start --yes --reason feed feeder@alpha
	wait_run bravo feeder@alpha SUCCESS
	# The condition has come and made its run, which waits.
	wait_until 10 "held@bravo is HELD" held_waits
	[ "$(runs bravo held@bravo SUCCESS)" = 0 ]
	as alice bravo release held@bravo
	wait_run alpha held@bravo SUCCESS
	[ "$(runs alpha held@bravo)" = 1 ]
	[ "$(events charlie 'select(.kind == "job.held") | .by + ": " + .reason')" = "alice: disk swap" ]
}
held_waits() { [[ $(json bravo ls held@bravo '.jobs[0].state') == HELD ]]; }

@test "a start is refused while its conditions are not met, and says which" {
	refuses 1 as alice bravo start --yes --reason try unmet@bravo
	says "never@alpha"
	[ "$(runs bravo unmet@bravo)" = 0 ]
}

@test "kill ends the whole tree, also what left its session" {
	as alice alpha start --yes --reason tree tree@alpha
	wait_until 10 "four sleeps" tree_is 3
	as alice alpha kill --yes --reason enough tree@alpha
	wait_run charlie tree@alpha KILLED
	[ -z "$(job_pids tree)" ]
	[ "$(json charlie runs tree@alpha '.runs[0].signal')" = 15 ]
}
tree_is() { (($(for p in $(job_pids tree); do cat "/proc/$p/comm"; done | grep -cx sleep) == $1)); }

@test "a job runs once at a time: a second start is refused, --ignore overlap starts it" {
	as alice alpha start --yes --reason one alone@alpha
	wait_run alpha alone@alpha RUNNING
	refuses 1 as alice alpha start --force --yes --reason two alone@alpha
	says "running"
	as alice alpha start --force --ignore overlap --yes --reason two alone@alpha
	wait_until 10 "two run" test "$(runs alpha alone@alpha)" = 2
	local list
	mapfile -t list < <(json alpha runs alone@alpha '.runs[].run | "\(.)@alpha"')
	refuses 2 as alice alpha kill --yes --reason both "${list[@]}"
	says "--expect 2"
	refuses 1 as alice alpha kill --yes --expect 5 --reason both "${list[@]}"
	as alice alpha kill --yes --expect 2 --reason both "${list[@]}"
	wait_until 10 "both killed" has_runs bravo alone@alpha 2 KILLED
}

@test "a job sees the environment of the contract, and its output is kept" {
	as alice charlie start --wait --yes --reason told told@charlie
	run cat "$T/out/told.txt"
	says "CHIME_JOB=told"
	says "CHIME_SERVER=charlie"
	says "CHIME_ENVIRONMENT=$ENVIRONMENT"
	says "CHIME_ATTEMPT=1"
	says "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	says "LANG=C.UTF-8"
	[[ $(<"$T/out/told.txt") != *TLS* ]]
	run on charlie log told@charlie
	says out
	says err
	# From anywhere: the output lives at its owner.
	run as vera charlie log told@charlie
	says out
}

@test "next says what comes, discover finds all" {
	[ "$(json alpha next extract@alpha '[.. | .time? // empty] | length > 0')" = true ]
	run chime --config "$T/vera/chime.yaml" discover --for 1s --json
	[ "$status" = 0 ]
	for server in $SERVERS; do says "\"$server\""; done
}
