#!/usr/bin/env bats
# conf.bats - files: locks, sockets, reload, check, next.
# bats file_tags=e2e

bats_require_minimum_version 1.5.0
load lib.bash

setup_file() {
	env_up alpha <<-'END'
	job: one
	server: alpha
	run: "echo 1 >> one.txt"
	END
}
teardown_file() { env_down; }

@test "chimed --check and --print-config" {
	run "$BUILD/chimed" --config "$T/alpha/chimed.yaml" --check
	[ "$status" = 0 ]
	says "0 errors"
	run "$BUILD/chimed" --config "$T/alpha/chimed.yaml" --print-config
	[ "$status" = 0 ]
	says 'server: "alpha"'
	sed 's/^server:/servre:/' "$T/alpha/chimed.yaml" >"$T/alpha/bad.yaml"
	run "$BUILD/chimed" --config "$T/alpha/bad.yaml" --check
	[ "$status" = 1 ]
	says "bad.yaml:2:1"
	says "did you mean"
}

@test "a second chimed on one data folder is refused with the first one's pid, exit 1" {
	refuses 1 "$BUILD/chimed" --config "$T/alpha/chimed.yaml"
	says "pid $(server_pid alpha)"
	on alpha ls
}

@test "a stale socket is replaced after kill -9, a live one never" {
	server_kill alpha KILL
	[ -S "$T/alpha/control.sock" ]
	server_start alpha
	on alpha start --yes --reason r --wait one@alpha
}

@test "the configuration must be the certificate's: server and environment" {
	sed 's/^server: alpha/server: other/; s/^data: .*/data: data2/' "$T/alpha/chimed.yaml" \
		>"$T/alpha/wrong.yaml"
	refuses 1 "$BUILD/chimed" --config "$T/alpha/wrong.yaml"
	says "certificate"
}

@test "reload with an error keeps the old set: all or nothing, file:line:col" {
	jobs_write two.yaml <<-'END'
	job: two
	server: alpha
	run: "true"
	---
	job: three
	server: alpha
	afer: success(one)
	run: "true"
	END
	refuses 1 on alpha reload
	says "two.yaml:11:1"
	says "did you mean"
	[ "$(json alpha ls '[.jobs[].name] | tostring')" = '["one"]' ]
	[ "$(events alpha 'select(.kind == "job.defined") | .job')" = one ]
	on alpha start --yes --reason r --wait one@alpha
}

@test "a broken file at a restart stops nothing: the accepted set goes on" {
	server_kill alpha TERM
	echo 'job: [' >"$T/jobs/chain.yaml.broken"
	mv "$T/jobs/chain.yaml" "$T/chain.yaml.save"
	mv "$T/jobs/chain.yaml.broken" "$T/jobs/chain.yaml"
	server_start alpha
	[ "$(json alpha ls '[.jobs[].name] | tostring')" = '["one"]' ]
	on alpha start --yes --reason r --wait one@alpha
	mv "$T/chain.yaml.save" "$T/jobs/chain.yaml"
}

@test "SIGHUP reloads, an error in it changes nothing" {
	kill -HUP "$(server_pid alpha)"
	wait_until 10 "the error is logged" file_has "$T/alpha.log" "two.yaml:11:1"
	[ "$(json alpha ls '[.jobs[].name] | tostring')" = '["one"]' ]
	sed -i 's/afer/after/' "$T/jobs/two.yaml"
	kill -HUP "$(server_pid alpha)"
	wait_until 10 "three jobs" jobs_are 3
}
jobs_are() { [[ $(json alpha ls '.jobs | length') == "$1" ]]; }

@test "reload prints what was added, changed and removed" {
	sed -i 's/^run: "true"/run: "false"/' "$T/jobs/two.yaml"
	printf 'job: four\nserver: alpha\nrun: "true"\n' | jobs_write four.yaml
	run on alpha reload
	[ "$status" = 0 ]
	says four
	says two
	rm "$T/jobs/four.yaml"
	run on alpha reload
	says four
	jobs_are 3
	wait_until 5 "removed is an event" test -n "$(events alpha 'select(.kind == "job.removed") | .job')"
}

@test "SIGTERM stops cleanly and leaves running jobs; their ends are taken in later" {
	jobs_write slow.yaml <<-'END'
	job: slow
	server: alpha
	run: "until [ -e go ]; do sleep 0.05; done; echo slow >> slow.txt; exit 4"
	END
	on alpha reload
	on alpha start --yes --reason r slow@alpha
	wait_run alpha slow@alpha RUNNING
	server_kill alpha TERM
	[ -n "$(job_pids slow)" ]
	touch "$T/out/go"
	wait_until 10 "the job ends by itself" lines_are "$T/out/slow.txt" 1
	wait_until 10 "and is gone" no_slow
	server_start alpha
	wait_run alpha slow@alpha FAILED
	[ "$(json alpha runs slow@alpha '[.runs[0].exit, (.runs | length)] | tostring')" = '[4,1]' ]
	[ "$(wc -l <"$T/out/slow.txt")" = 1 ]
}
no_slow() { [[ -z $(job_pids slow) ]]; }

@test "no shepherd inherits the lock: a new chimed starts while jobs run" {
	rm -f "$T/out/go"
	on alpha start --yes --reason r slow@alpha
	wait_run alpha slow@alpha RUNNING
	server_kill alpha KILL
	server_start alpha
	[ "$(last_state alpha slow@alpha)" = RUNNING ]
	touch "$T/out/go"
	wait_run alpha slow@alpha FAILED
}

@test "check: all errors at once as file:line:col, exit 1; a good folder exit 0" {
	mkdir "$T/check"
	cat >"$T/check/a.yaml" <<-'END'
	job: one
	server: alpha
	run: "true"
	after: success(two) and
	---
	job: two
	server: alpha
	cron: 0 25 * * *
	run: "true"
	---
	job: 123
	server: alpha
	rnu: "true"
	END
	refuses 1 chime check "$T/check"
	says "a.yaml:4:"
	says "a.yaml:8:"
	says "a.yaml:11:"
	says "a.yaml:13:1"
	says "'run'"
	run -1 chime check --json "$T/check"
	[ "$(jq -r '.errors >= 4 and (.messages | length) >= 4' <<<"$output")" = true ]
	printf 'job: x\nserver: alpha\nrun: "true"\nafter: success(y)\n---\njob: y\nserver: alpha\nrun: "true"\nafter: success(x)\n' \
		>"$T/check/a.yaml"
	run chime check "$T/check"
	says "wait for each other"
	run chime check "$T/jobs"
	[ "$status" = 0 ]
	printf 'job: x\nserver: alpha\nrun: "true"\ncron: * * * * *\n' >"$T/check/a.yaml"
	refuses 1 chime check "$T/check"
	says "quote it"
}

@test "next --file gives every vector" {
	local n=0 line kind
	while read -r line; do
		jq -r 'def quoted: "\"" + . + "\"";
			(.spec | split(" ")) as $w | .spec[($w[0] | length) + 1:] as $rest |
			"job: x\nserver: local\nrun: \"true\"\ntimezone: " + .zone + "\n" +
			$w[0] + ": " + ($rest | quoted) + "\n" +
			(if .gap != null and $w[0] == "at" then "dst_gap: " + .gap + "\n" else "" end) +
			(if .overlap != null and $w[0] == "at"
			 then "dst_overlap: " + .overlap + "\n" else "" end)' \
			<<<"$line" >"$T/next.yaml"
		run chime next --file "$T/next.yaml" --from "$(jq -r .from <<<"$line")" \
			--count "$(jq -r .count <<<"$line")" --json
		[ "$status" = 0 ]
		if [[ $(jq -c '[.[].time]' <<<"$output") != "$(jq -c .next <<<"$line")" ]]; then
			echo "$line" >&2
			echo "$output" >&2
			return 1
		fi
		n=$((n + 1))
	done <"$BATS_TEST_DIRNAME/../vectors/schedule.jsonl"
	[ "$n" -ge 30 ]
}

@test "next --file is a bare array of slot and time, from is exclusive" {
	printf 'job: x\nserver: local\nrun: "true"\ntimezone: Europe/Berlin\nat: "02:30"\n' \
		>"$T/next.yaml"
	run chime next --file "$T/next.yaml" --from 2024-03-31T00:59:59Z --count 1 --json
	[ "$(jq -c . <<<"$output")" = '[{"slot":"2024-03-31T02:30","time":"2024-03-31T01:00:00Z"}]' ]
	run chime next --file "$T/next.yaml" --from 2024-03-31T01:00:00Z --count 1 --json
	[ "$(jq -r '.[0].time' <<<"$output")" = 2024-04-01T00:30:00Z ]
}
