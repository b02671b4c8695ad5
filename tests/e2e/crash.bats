#!/usr/bin/env bats
# crash.bats - P1, P2, P5, P15: kill -9 of everything, at any instant; nothing is lost or doubled.
# bats file_tags=e2e

bats_require_minimum_version 1.5.0
load lib.bash

setup_file() {
	env_up alpha bravo <<-'END'
	job: slow
	server: alpha
	run: "echo start $CHIME_RUN >> slow.txt; until [ -e go ]; do sleep 0.02; done; echo end $CHIME_RUN >> slow.txt; exit 4"
	kill_grace: 1s
	---
	job: quick
	server: alpha
	run: "echo $CHIME_RUN $CHIME_ATTEMPT >> quick.txt"
	---
	job: first
	server: bravo
	run: "true"
	---
	job: second
	server: alpha
	after: success(first@bravo)
	run: "echo $CHIME_RUN >> second.txt"
	---
	job: often
	server: alpha
	every: 1s
	run: "echo $CHIME_SLOT $CHIME_RUN >> often.txt"
	enabled: false
	END
}
teardown_file() { env_down; }

setup() { rm -f "$T"/out/*; }

slow_runs() {
	on alpha start --yes --reason r slow@alpha
	wait_until 10 "slow runs" lines_are "$T/out/slow.txt" 1
	wait_run alpha slow@alpha RUNNING
	RUN=$(json alpha runs slow@alpha '.runs[0].run')
}
slow_ends_well() {
	wait_run alpha slow@alpha FAILED 10
	[ "$(json alpha runs slow@alpha '[.runs[0].run, .runs[0].exit] | tostring')" = "[$RUN,4]" ]
	[ "$(tr '\n' ' ' <"$T/out/slow.txt")" = "start $RUN end $RUN " ]
	wait_run bravo slow@alpha FAILED
}
all_gone() { [[ -z $(job_pids "$1") ]]; }
restart_if_down() { gone "$(server_pid "$1")" && server_start "$1" || true; }

@test "P1 kill -9 of chimed while a job runs: undisturbed, the right result, once" {
	slow_runs
	server_kill alpha KILL
	server_start alpha
	[ "$(last_state alpha slow@alpha)" = RUNNING ]
	touch "$T/out/go"
	slow_ends_well
}

@test "P1 the job ends while chimed is dead: the result is found at the restart" {
	slow_runs
	server_kill alpha KILL
	touch "$T/out/go"
	wait_until 10 "the job and its shepherd end" all_gone slow
	server_start alpha
	slow_ends_well
}

@test "P1 kill -9 of the launcher: the job goes on, chimed ends and comes back" {
	local launcher
	slow_runs
	launcher=$(launcher_pid alpha)
	kill -KILL "$launcher"
	wait_until 10 "chimed ends with its launcher" gone "$(server_pid alpha)"
	if all_gone slow; then return 1; fi
	server_start alpha
	[ "$(last_state alpha slow@alpha)" = RUNNING ]
	touch "$T/out/go"
	slow_ends_well
}

# The shepherd above the processes of slow; those come and go.
shepherd_pid() {
	local p parent
	for p in $(job_pids slow); do
		parent=$(awk '$1 == "PPid:" { print $2 }' "/proc/$p/status" 2>/dev/null) || continue
		if [[ $(cat "/proc/$parent/comm" 2>/dev/null) == chime-shepherd ]]; then
			echo "$parent"
			return
		fi
	done
	return 1
}

@test "P2 kill -9 of a shepherd: noticed in 5 s, its tree is ended, LOST, never success" {
	local pid
	slow_runs
	wait_until 5 "its shepherd is found" shepherd_pid
	pid=$(shepherd_pid)
	[ -n "$pid" ]
	kill -KILL "$pid"
	wait_run alpha slow@alpha LOST 5
	wait_until 5 "the tree is gone" all_gone slow
	[ "$(json alpha runs slow@alpha '.runs[0].exit')" = null ]
	wait_run bravo slow@alpha LOST
	refuses 1 on bravo status --check
}

@test "P2 kill -9 of chimed, launcher and shepherd: LOST after the restart, nothing runs on" {
	local shepherd launcher pid
	slow_runs
	shepherd=$(shepherd_pid) launcher=$(launcher_pid alpha) pid=$(server_pid alpha)
	kill -KILL "$pid" "$launcher" "$shepherd"
	wait_until 10 "chimed ends" gone "$pid"
	wait_until 10 "the launcher ends" gone "$launcher"
	server_start alpha
	wait_run alpha slow@alpha LOST 10
	wait_until 5 "the tree is gone" all_gone slow
	[ "$(wc -l <"$T/out/slow.txt")" = 1 ]
}

@test "P5 kill -9 of chimed around each step of a start: at most once, and right within 10 s" {
	local before
	before=$(runs alpha quick@alpha)
	for round in 1 2 3 4 5 6 7 8; do
		on alpha start --yes --reason r "quick@alpha" >/dev/null 2>&1 &
		sleep "0.00$((round * 2 - 2))"
		server_kill alpha KILL
		wait || true
		server_start alpha
		wait_until 10 "no run is open" none_open
	done
	# Every run that started wrote one line; every line is a run that the history calls a success.
	[ ! -e "$T/out/quick.txt" ] || {
		[ -z "$(sort "$T/out/quick.txt" | uniq -d)" ]
		[ "$(wc -l <"$T/out/quick.txt")" -ge 1 ]
		for run in $(cut -d' ' -f1 "$T/out/quick.txt"); do
			[ "$(json alpha runs "$run@alpha" '.runs[0].state')" = SUCCESS ]
		done
	}
	[ "$(runs alpha quick@alpha SUCCESS)" = \
		$((before + $(cat "$T/out/quick.txt" 2>/dev/null | wc -l))) ]
}
none_open() {
	[[ $(json alpha runs quick@alpha --limit 100 \
		'[.runs[] | select(.ended == null)] | length') == 0 ]]
}

@test "a command whose answer was lost is asked for again and has effect once" {
	local pid
	on alpha start --yes --reason lost --timeout 20s quick@alpha >"$T/lost.out" 2>&1 &
	pid=$!
	server_kill alpha KILL
	server_start alpha
	wait $pid || [ -s "$T/lost.out" ]
	wait_until 10 "no run is open" none_open
	(($(json alpha runs quick@alpha --limit 100 '[.runs[] | select(.reason == "lost")] | length') <= 1))
	[ "$(cat "$T/out/quick.txt" 2>/dev/null | wc -l)" -le 1 ]
}

@test "P15 a server that was down while its producer succeeded catches up and runs once" {
	server_kill alpha KILL
	on bravo start --yes --reason r --wait first@bravo
	wait_until 10 "bravo misses alpha" alpha_missed
	server_start alpha
	wait_run bravo second@alpha SUCCESS 20
	[ "$(wc -l <"$T/out/second.txt")" = 1 ]
	# And after another restart nothing is started again.
	server_kill alpha TERM
	server_start alpha
	env_together
	wait_until 10 "equal logs" same_logs
	[ "$(wc -l <"$T/out/second.txt")" = 1 ]
	[ "$(runs alpha second@alpha)" = 1 ]
}
alpha_missed() { [[ $(json bravo server ls '.servers[] | select(.server == "alpha") | .state') != UP ]]; }

@test "P19 the consumer's chimed is killed as the event comes: once, every time" {
	local before
	before=$(runs bravo second@alpha)
	for round in 1 2 3 4 5; do
		on bravo start --yes --reason r first@bravo
		sleep "0.01$((round * 2 - 2))"
		server_kill alpha KILL
		server_start alpha
		wait_until 15 "consumer ran in round $round" has_runs alpha second@alpha \
			$((before + round)) SUCCESS
	done
	[ "$(runs alpha second@alpha)" = $((before + 5)) ]
	[ "$(sort "$T/out/second.txt" | uniq | wc -l)" = 5 ]
	[ "$(wc -l <"$T/out/second.txt")" = 5 ]
}

@test "P5 slots: no slot starts twice over kills, missed ones are told" {
	sed -i 's/enabled: false/enabled: true/' "$T/jobs/chain.yaml"
	on alpha reload
	for round in 1 2 3; do
		wait_until 10 "a slot runs" has_more_slots "$round"
		server_kill alpha KILL
		server_start alpha
	done
	wait_until 10 "a slot runs" has_more_slots 4
	sed -i 's/enabled: true/enabled: false/' "$T/jobs/chain.yaml"
	on alpha reload
	[ -z "$(cut -d' ' -f1 "$T/out/often.txt" | sort | uniq -d)" ]
	[ -z "$(json alpha runs often@alpha --limit 1000 '.runs[].slot' | sort | uniq -d)" ]
}
has_more_slots() { [[ -f $T/out/often.txt ]] && (($(wc -l <"$T/out/often.txt") >= $1)); }

@test "at the end all logs are equal" {
	env_together
	wait_until 15 "equal logs" same_logs
}

@test "who was away takes in a log of many starts, each with more heads than may wait" {
	server_kill bravo
	for _ in 1 2 3 4; do
		for _ in {1..12}; do
			on alpha hold --yes --reason x quick >/dev/null
			on alpha release quick >/dev/null
		done
		server_kill alpha
		server_start alpha
	done
	server_start bravo
	wait_until 30 "bravo has all of alpha" same_logs
}
