#!/usr/bin/env bats
# contract.bats - what scripts and other programs hold on to: names, modes, exit codes, JSON members,
# the surroundings of a run. One test for each such promise, from outside.
# bats file_tags=e2e

bats_require_minimum_version 1.5.0

setup_file() {
	load lib
	env_make alpha bravo charlie
	jobs_write a.yaml <<'END'
job: c/env
server: alpha
env: {FOO: bar}
at: 03:00
run: env; umask; pwd; readlink /proc/self/fd/0
---
job: c/argv
server: alpha
run: [printf, '[%s]\n', "${CHIME_JOB}", "x${CHIME_RUN}y", "$HOME", "${CHIME_NOPE}", "$CHIME_JOB"]
---
job: c/fail
server: alpha
run: exit 3
---
job: c/codes
server: alpha
success_codes: "0,3-5"
run: exit 4
---
job: c/long
server: alpha
kill_grace: 1s
run: trap '' TERM; setsid sleep 300 & sleep 300
---
job: c/two
server: alpha
overlap: parallel 2
run: sleep 300
---
job: c/both
server: [alpha, "bra*"]
run: echo both
---
job: c/far
server: bravo
run: echo far
END
	server_start alpha bravo charlie
	env_together
}
teardown_file() {
	load lib
	env_down
}
setup() { load lib; }

wants() {
	[[ $1 == "$2" ]] || {
		echo "'$1', not '$2'" >&2
		return 1
	}
}
json_is() { wants "$(on alpha "${@:1:$#-2}" --json | jq -c "${*: -2:1}")" "${*: -1}"; }

@test "contract 2: files and modes of ca init and ca issue; keys are never overwritten" {
	local d=$BATS_TEST_TMPDIR
	chime ca init --environment X --dir "$d/ca"
	chime ca issue --dir "$d/ca" --role server --name s --out "$d/s"
	chime ca issue --dir "$d/ca" --role viewer --name v --out "$d/v"
	wants "$(cd "$d/ca" && echo *)" "bus.key ca.crt ca.key"
	wants "$(cd "$d/s" && echo *)" "bus.key ca.crt id.crt id.key"
	wants "$(cd "$d/v" && echo *)" "ca.crt id.crt id.key"
	wants "$(stat -c %a "$d"/s "$d"/s/{id,bus}.key "$d"/ca/ca.key | xargs)" "700 600 600 600"
	grep -qxE 'chime-bus-key1 [0-9a-f]{4} [0-9a-f]{64}' "$d/s/bus.key"
	openssl x509 -in "$d/s/id.crt" -noout -text | grep -q "URI:chime://X/server/s$"
	refuses 1 chime ca issue --dir "$d/ca" --role viewer --name v --out "$d/v"
	refuses 1 chime ca init --environment X --dir "$d/ca"
}

@test "contract 2, 3: wide keys, another name, unknown configuration keys are refused" {
	cp -r "$T/alpha" "$BATS_TEST_TMPDIR/s"
	cd "$BATS_TEST_TMPDIR/s"
	chmod 640 id.key
	refuses 1 chimed --config chimed.yaml --check
	says "wider than 0600"
	chmod 600 id.key
	sed -i 's/^server: .*/server: other/' chimed.yaml
	refuses 1 chimed --config chimed.yaml --check
	says "chime://$ENVIRONMENT/server/alpha"
	echo 'buss: {port: 1}' >>chimed.yaml
	refuses 1 chimed --config chimed.yaml --check
	says "did you mean 'bus'?"
}

@test "contract 3: data is made with its folders; without identity no port" {
	local d=$BATS_TEST_TMPDIR pid
	mkdir "$d/jobs"
	printf 'environment: P\nserver: p\ndata: a/b\njobs: jobs\nsocket: s.sock\n' >"$d/chimed.yaml"
	chimed --config "$d/chimed.yaml" >"$d/log" 2>&1 3>&- &
	pid=$!
	wait_until 10 "it answers" chime --via "$d/s.sock" server ls
	wants "$(stat -c %a "$d/a/b")" 700
	run ! grep "pid=$pid," <(ss -Hlntup)
	kill -KILL "$pid"
	wait_until 10 "it is gone" gone "$pid"
	[[ -S $d/s.sock ]]
	chimed --config "$d/chimed.yaml" >>"$d/log" 2>&1 3>&- &
	pid=$!
	wait_until 10 "it takes a stale socket" chime --via "$d/s.sock" server ls
	kill "$pid"
	wait "$pid"
	[[ ! -e $d/s.sock ]]
}

@test "contract 4: a second chimed on the same data says the pid of the first" {
	refuses 1 chimed --config "$T/alpha/chimed.yaml"
	says "pid $(server_pid alpha)"
}

@test "contract 5, 6: files of others are refused by reload and --check; a restart needs no files" {
	jobs_write b.yaml <<<$'job: c/b\nserver: alpha\nrun: id'
	chmod 666 "$T/jobs/b.yaml"
	refuses 1 on alpha reload
	says "can be written by others"
	refuses 1 chimed --config "$T/alpha/chimed.yaml" --check
	says "can be written by others"
	chmod 644 "$T/jobs/b.yaml"
	if [[ $(id -u) -eq 0 ]]; then
		chown 65534 "$T/jobs/b.yaml"
		refuses 1 chimed --config "$T/alpha/chimed.yaml" --check
		says "belongs neither to root"
		chown 0 "$T/jobs/b.yaml"
		printf 'job: c/b\nserver: alpha\nrun: id\n' >"$T/jobs/b.yaml"
		refuses 1 on alpha reload
		says "b.yaml:1:6: error: key 'user' is missing"
	fi
	echo 'run: [' >"$T/jobs/b.yaml"
	local before
	before=$(json alpha ls '.jobs | length')
	server_kill alpha
	server_start alpha
	wants "$(json alpha ls '.jobs | length')" "$before"
	rm "$T/jobs/b.yaml"
	env_together
}

@test "contract 7: --via a socket, an endpoint, a name" {
	local me=(chime --config "$T/alice/chime.yaml")
	wants "$("${me[@]}" --via "$T/bravo/control.sock" ls --json | jq -r .via)" bravo
	wants "$("${me[@]}" --via "$(<"$T/bravo/address")" ls --json | jq -r .via)" bravo
	wants "$("${me[@]}" --via bravo ls --json | jq -r .via)" bravo
	refuses 5 "${me[@]}" --via nosuch ls
	refuses 5 "${me[@]}" --via 127.0.0.1:1 ls
	refuses 5 "${me[@]}" --via /nosuch/sock ls
}

@test "contract 8: roles" {
	refuses 4 as vera alpha start c/env --yes
	says "it needs role operator, vera has role viewer"
	refuses 4 as alice alpha reload
	says "it needs role planner"
	as paul alpha reload
	refuses 4 as alice alpha server trust --yes
	cp "$T/alice/chime.yaml" "$T/bravo/"
	refuses 4 as bravo alpha ls
	says "bravo has role server"
}

@test "contract 8: a member of chime-ops is operator on the socket, also of an unprivileged chimed" {
	need_root
	local d=$BATS_TEST_TMPDIR
	chmod 755 "$d" "${d%/*}" "${d%/*/*}" "${d%/*/*/*}"
	mkdir -p "$d/jobs" "$d/run/data"
	printf 'job: a\nserver: p\nuser: nobody\nrun: id\n' >"$d/jobs/a.yaml"
	printf 'environment: P\nserver: p\ndata: run/data\njobs: jobs\nsocket: run/s.sock\n' \
		>"$d/chimed.yaml"
	chown -R 65534 "$d/run"
	cat >"$d/script" <<-END
	set -e
	grep -v ^chime-ops: /etc/group >"$d/group"
	echo 'chime-ops:x:7777:' >>"$d/group"
	mount --bind "$d/group" /etc/group
	chimed --config "$d/chimed.yaml" >"$d/log" 2>&1 &
	until chime --via "$d/run/s.sock" server ls; do sleep 0.05; done >/dev/null 2>&1
	trap 'kill \$!; wait' EXIT
	member="setpriv --reuid 65533 --regid 65533 --groups 7777"
	\$member chime --via "$d/run/s.sock" start a --wait
	! \$member chime --via "$d/run/s.sock" reload
	! setpriv --reuid 65533 --regid 65533 --clear-groups chime --via "$d/run/s.sock" ls
	END
	run timeout 20 unshare -m bash "$d/script"
	echo "$output"
	[[ $status -eq 0 ]]
	says "SUCCESS"
	says "it needs role planner"
	says "you may not use"
}

@test "contract 9: with a socket only, an action on another server's job is refused" {
	cd "$BATS_TEST_TMPDIR"
	HOME=$BATS_TEST_TMPDIR refuses 4 on alpha start c/far@bravo --yes
	chime --config "$T/alice/chime.yaml" --via alpha start c/far@bravo --yes --wait
	wants "$(json alpha runs c/far@bravo --limit 1 '.runs[0].by')" alice
}

@test "contract 10: a key has effect once, over a kill of the server, and for one command only" {
	local key again
	key=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
	again=$(on alpha start c/argv --yes --key "$key")
	wants "$(on alpha start c/argv --yes --key "$key")" "$again"
	server_kill alpha
	server_start alpha
	wants "$(on alpha start 'c/arg*' --yes --key "$key")" "$again"
	wants "$(runs alpha c/argv)" 1
	refuses 1 on alpha start c/env --yes --key "$key"
	says "used for another command"
	refuses 1 on alpha hold c/argv --yes --key "$key"
	says "used for another command"
	wants "$(json alpha ls c/argv '.jobs[0].held')" false
	env_together
}

@test "contract 11: exit codes" {
	on alpha start c/codes --wait
	refuses 1 on alpha start c/fail --wait
	refuses 2 on alpha start c/env --force </dev/null
	refuses 2 on alpha strat c/env
	refuses 3 on alpha start nosuch --yes
	refuses 3 on alpha runs nosuch
	refuses 3 on bravo show nosuch
	on alpha start c/long
	refuses 6 on alpha start c/long --ignore overlap --reason r --yes --wait --timeout 100ms
	refuses 1 on alpha start c/long --force --reason r --yes
	says "already running"
	on alpha kill c/long --yes --wait
	wants "$(json alpha runs c/long '[.runs[].state] | unique | join(",")')" KILLED
	wants "$(job_pids c/long)" ""
	on alpha start c/two
	on alpha start c/two
	refuses 1 on alpha start c/two
	says "already running"
	on alpha kill c/two --yes --wait
}

@test "targets: a bare name or number on several servers acts on none" {
	local me=(chime --config "$T/alice/chime.yaml")
	wants "$(on alpha start c/both --wait | grep -c SUCCESS)" 1
	wants "$(runs alpha c/both@bravo)" 0
	# charlie owns neither
	refuses 3 "${me[@]}" --via "$(<"$T/charlie/address")" start c/both --yes
	says "c/both is 2 jobs, which one?"
	says "nothing was done"
	refuses 2 "${me[@]}" --via "$(<"$T/charlie/address")" start 'c/both@*' --yes
	"${me[@]}" --via "$(<"$T/charlie/address")" start 'c/both@*' --yes --expect 2 --wait
	wants "$(runs alpha c/both@bravo)" 1
	# what a pattern met and could not be done is told
	on bravo hold c/far --yes
	refuses 7 "${me[@]}" --via bravo start 'c/far@*' 'c/both@bravo' 'c/f*@bravo' --yes --expect 1
	says "c/far@bravo is held"
	on bravo release c/far
}

@test "contract 12: what --force ignores, and what it does not" {
	on alpha start c/env --force --yes --reason because --wait
	json_is runs c/env --limit 1 '.runs[0] | [.forced, .by, .reason, .cause, .ignored]' \
		"[true,\"unix:$(id -un)\",\"because\",\"force\",[\"time\",\"after\",\"calendar\"]]"
	on alpha hold c/env --reason disk --yes
	refuses 1 on alpha start c/env --force --yes --reason because
	says "is held"
	on alpha start c/env --force --ignore hold --yes --reason because
	on alpha release c/env
	refuses 2 on alpha start c/env --ignore nothing --yes --reason because
}

@test "contract 13, 14: chime runs --json" {
	on alpha start c/fail --wait || true
	json_is runs c/fail --limit 1 '[.schema, (.runs[0] | .job, .server, .state, .exit, .signal,
		.slot, .cause, .attempts, .late_s, .proofs)]' \
		'["chime.runs/1","c/fail","alpha","FAILED",3,null,null,"force",1,0,[]]'
	# the members of a run that waits, runs, ended are the same
	wants "$(json alpha runs '[.runs[] | keys | join(",")] | unique | length')" 1
	json alpha runs --limit 1 '.runs[0] | .created, .started, .ended' |
		while read -r at; do
			[[ $at =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\.[0-9]{3})?Z$ ]]
		done
}

@test "contract 15: chime next --file is an array" {
	local f=$BATS_TEST_TMPDIR/j.yaml
	printf 'job: a\nserver: s\nrun: id\nat: 02:30\ntimezone: Europe/Berlin\n' >"$f"
	wants "$(chime next --file "$f" --from 2024-03-30T12:00:00Z --count 1 --json)" \
		'[{"slot":"2024-03-31T02:30","time":"2024-03-31T01:00:00Z"}]'
	wants "$(chime next --file "$f" --from 2024-03-31T01:00:00Z --count 1 --json | jq -r '.[].time')" \
		2024-04-01T00:30:00Z
}

@test "contract 17: ls, status, server ls --json" {
	json_is ls c/argv '[.schema, .env, .via, .complete, .silent, (.jobs[0] | .name, .server, .state,
		.code, .late, .exit, .usual_s, .held_by, .stale)]' \
		"[\"chime.jobs/1\",\"$ENVIRONMENT\",\"alpha\",true,[],\"c/argv\",\"alpha\",\"SUCCESS\",\"SU\",false,0,null,null,false]"
	json_is server ls '[.schema, ([.servers[] | select(.self) | .server, .state])]' \
		'["chime.servers/1",["alpha","UP"]]'
	json_is status '.schema' '"chime.status/1"'
	json_is show c/env '.definition | [.dst_gap, .overlap_n, .max_time_s]' '["after",null,null]'
	# 64 random bits are more than a number in JSON is sure to hold
	json_is events --limit 200 '[.events[] | .body.ref.tag // empty | test("^[0-9a-f]{16}$")] | unique' \
		'[true]'
}

@test "contract 19: the surroundings of a run" {
	on alpha start c/env --force --yes --reason r --wait --cycle 2026-01-02
	local run out
	run=$(json alpha runs c/env --limit 1 '.runs[0].run')
	out=$(on alpha log c/env)
	wants "$(sed '/^[0-7]*$/,$d' <<<"$out" | grep -vE '^(PWD|OLDPWD|SHLVL|_)=' | sort)" "$(sort <<-END
	CHIME_ATTEMPT=1
	CHIME_CAUSE=force
	CHIME_CYCLE=2026-01-02
	CHIME_ENVIRONMENT=$ENVIRONMENT
	CHIME_JOB=c/env
	CHIME_RUN=$run
	CHIME_SERVER=alpha
	CHIME_SLOT=
	FOO=bar
	HOME=$(getent passwd "$(id -un)" | cut -d: -f6)
	LANG=C.UTF-8
	LOGNAME=$(id -un)
	PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	SHELL=$(getent passwd "$(id -un)" | cut -d: -f7)
	USER=$(id -un)
	END
	)"
	wants "$(tail -n 3 <<<"$out" | xargs)" "0022 $T/out /dev/null"
}

@test "contract 20: names of the run in a list, and nothing else" {
	on alpha start c/argv --wait
	local run
	run=$(json alpha runs c/argv --limit 1 '.runs[0].run')
	wants "$(on alpha log c/argv | xargs -d '\n')" \
		"[c/argv] [x${run}y] [\$HOME] [\${CHIME_NOPE}] [\$CHIME_JOB]"
}

@test "contract 21, 27: schedules and names that are refused, and why" {
	local f=$BATS_TEST_TMPDIR/j.yaml line
	try() {
		printf 'job: %s\nserver: s\nuser: root\nrun: id\n%b\n' "$1" "$2" >"$f"
		run chime check "$f"
		[[ $status -eq 1 ]] || { echo "accepted: $1 $2" >&2; return 1; }
		says "$3"
	}
	try a 'cron: */5 * * * *' 'quote it'
	try a 'cron: @daily' 'quote it'
	try a 'cron: "@reboot"' '@reboot'
	try a 'cron: "@daily"\ndst_gap: skip' "'dst_gap' belongs to 'at'"
	try a 'every: 5m\ndst_overlap: both' "'dst_overlap' belongs to 'at'"
	try a 'at: 02:30\nevery: 5m' 'exclude each other'
	try a 'retry: 2' 'not supported by this version'
	for line in a/1 and not any a//b /a a/ .a -a '"a b"' 12; do
		try "$line" '' 'the name'
	done
}

@test "contract 28: a list and a glob make one job on each server; the counts are printed" {
	wants "$(json alpha ls 'c/both' '[.jobs[].server] | join(" ")')" alpha
	wants "$(json alpha ls 'c/both@*' '[.jobs[].server] | join(" ")')" "alpha bravo"
	run on bravo reload
	says "same on bravo"
	wants "$(events alpha 'select(.kind == "job.defined") | .body | keys[]' | sort -u | grep -cE '^(run|env|user)$')" 0
}

@test "contract 31: refused commands, once a second for each identity" {
	local i
	for i in 1 2 3; do
		as vera alpha hold c/env || true
	done
	sleep 1.05
	as vera alpha hold c/env || true
	wait_until 5 "the event" counted
}
counted() {
	[[ $(events alpha 'select(.kind == "command.refused" and .body.command == "hold") |
		[.by, .body.target, .body.count] | join(" ")' | tail -n 1) == "vera c/env 3" ]]
}
