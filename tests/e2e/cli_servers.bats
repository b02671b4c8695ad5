#!/usr/bin/env bats
# chime against three real servers: looking, acting at the owner, exit codes, JSON.

# shellcheck disable=SC2154,SC2016
bats_require_minimum_version 1.5.0
load cli

setup_file() { alone; start_demo; }
teardown_file() { stop_demo; }

# Has the newest run of a job this state?
newest_is() {
	[ "$("$CHIME" runs --json --limit 1 "$1" | jq -r '.runs[0].state // ""')" = "$2" ]
}

no_escape() { ! grep -q $'\033' <<<"$1"; }

@test "ls: all jobs of all servers, from any server" {
	for server in alpha bravo charlie; do
		run "$CHIME" --via $server ls -o name
		[ "$status" -eq 0 ]
		[ "${#lines[@]}" -eq 10 ]
		[[ $output == *"zones/report@charlie"* ]]
	done
	run "$CHIME" ls 'zones/*@alpha' -o name
	[ "$output" = "zones/extract@alpha" ]
	run "$CHIME" ls
	no_escape "$output"
}

@test "ls --json has the members of the contract" {
	run "$CHIME" ls --json zones/extract@alpha
	[ "$status" -eq 0 ]
	[ "$(member "['schema']")" = '"chime.jobs/1"' ]
	[ "$(member "['complete']")" = true ]
	for m in name server state code late since next run exit usual_s blocked_by root held_by \
		note stale; do
		jq -e --arg m "$m" '.jobs[0] | has($m)' <<<"$output"
	done
}

@test "status, server ls, events, next: text and JSON" {
	run "$CHIME" status
	[ "$status" -eq 0 ]
	[[ $output == "DEMO via alpha: "* ]]
	run "$CHIME" status --json
	[ "$(member "['schema']")" = '"chime.status/1"' ]
	run "$CHIME" server ls --json
	[ "$(member "['schema']")" = '"chime.servers/1"' ]
	[ "$(member "['servers'][2]['state']")" = '"UP"' ]
	run "$CHIME" events --limit 3 --json
	[ "$(member "['schema']")" = '"chime.events/1"' ]
	run "$CHIME" next --json zones/extract
	[ "$(member "['schema']")" = '"chime.next/1"' ]
	[ "$(member "['next'][0]['job']")" = '"zones/extract"' ]
}

@test "the chain runs over three servers, with proofs" {
	eventually newest_is zones/report@charlie SUCCESS
	run "$CHIME" runs --json --limit 1 zones/report@charlie
	[ "$(member "['schema']")" = '"chime.runs/1"' ]
	[ "$(member "['runs'][0]['cause']")" = '"condition"' ]
	[[ $(member "['runs'][0]['proofs'][0]") == '"bravo:'* ]]
	run "$CHIME" log zones/report@charlie
	[ "$status" -eq 0 ]
	[[ $output == America* ]]
}

@test "the output of a run is fetched from its owner" {
	eventually newest_is zones/load@bravo SUCCESS
	run "$CHIME" --via charlie log zones/load@bravo
	[ "$status" -eq 0 ]
	[[ $output == *"zones loaded" ]]
	run "$CHIME" log -n 1 --json zones/load@bravo
	[ "$(member "['schema']")" = '"chime.log/1"' ]
}

@test "why: the unmet atom and the root cause" {
	eventually newest_is ledger/verify@bravo FAILED
	run "$CHIME" why ledger/publish@charlie
	[ "$status" -eq 0 ]
	[[ $output == *"NO  success(ledger/verify@bravo)"* ]]
	[[ $output == *"root cause: ledger/verify@bravo"* ]]
	run "$CHIME" why --json ledger/publish@charlie
	[ "$(member "['schema']")" = '"chime.why/1"' ]
}

@test "failure() starts the alert" {
	eventually newest_is ledger/alert@alpha SUCCESS
	grep -q 'ALERT ledger/verify@bravo failed' "$DEMO/work/alerts.txt"
}

@test "start with an unmet condition explains: exit 1" {
	run --separate-stderr "$CHIME" start ledger/publish@charlie
	[ "$status" -eq 1 ]
	[ -z "$output" ]
	[[ $stderr == *"success(ledger/verify@bravo)"* ]]
}

@test "actions without a terminal and without --yes change nothing: exit 2" {
	for words in 'start --force ledger/publish@charlie' 'kill zones/load@bravo' \
		'hold zones/load@bravo' "hold zones/*"; do
		# shellcheck disable=SC2086
		run --separate-stderr "$CHIME" $words </dev/null
		[ "$status" -eq 2 ] || [ "$status" -eq 1 ]
	done
	run "$CHIME" start --force --yes ledger/publish@charlie </dev/null
	[ "$status" -eq 2 ]
	[[ $output == *'--yes --reason'* ]]
}

@test "start --force --wait: forced for ever, downstream follows, 0 and 1" {
	run "$CHIME" start --force --yes --reason "e2e" --wait ledger/publish@charlie
	[ "$status" -eq 0 ]
	[[ $output == *"SUCCESS  ledger/publish@charlie"* ]]
	run "$CHIME" runs --json --limit 1 ledger/publish@charlie
	[ "$(member "['runs'][0]['forced']")" = true ]
	[ "$(member "['runs'][0]['reason']")" = '"e2e"' ]
	[ "$(member "['runs'][0]['cause']")" = '"force"' ]
	[ "$(member "['runs'][0]['by']")" = '"you"' ]
	eventually newest_is ledger/archive@alpha SUCCESS
	run "$CHIME" start --force --yes --reason "e2e" --follow ledger/verify@bravo
	[ "$status" -eq 1 ]
	[[ $output == *"expected 1000"* ]]
	[[ $output == *"exit 3"* ]]
}

@test "a key has effect once" {
	key=00112233445566778899aabbccddeeff
	run "$CHIME" start --force --yes --reason once --key $key --json ledger/publish@charlie
	[ "$status" -eq 0 ]
	first=$(member "['effects'][0]['run']")
	run "$CHIME" start --force --yes --reason once --key $key --json ledger/publish@charlie
	[ "$status" -eq 0 ]
	[ "$(member "['effects'][0]['run']")" = "$first" ]
	[ "$(member "['repeated']")" = true ]
}

@test "--dry-run changes nothing" {
	before=$("$CHIME" runs --json --limit 1 ledger/publish@charlie | sed 's/"time":"[^"]*"//')
	run "$CHIME" start --force --dry-run ledger/publish@charlie
	[ "$status" -eq 0 ]
	[[ $output == *"IGNORES"* ]]
	[[ $output == *"ledger/archive@alpha"* ]]
	after=$("$CHIME" runs --json --limit 1 ledger/publish@charlie | sed 's/"time":"[^"]*"//')
	[ "$before" = "$after" ]
}

@test "hold, release; more than one target needs its number" {
	run "$CHIME" hold --yes --reason "disk swap" zones/load@bravo
	[ "$status" -eq 0 ]
	run "$CHIME" ls --json zones/load@bravo
	[ "$(member "['jobs'][0]['state']")" = '"HELD"' ]
	[ "$(member "['jobs'][0]['held_by']")" = '"you"' ]
	run "$CHIME" release zones/load@bravo
	[ "$status" -eq 0 ]
	run "$CHIME" hold --yes 'zones/*'
	[ "$status" -eq 2 ]
	[[ $output == *"--yes --expect 3"* ]]
	run "$CHIME" hold --yes --expect 5 'zones/*'
	[ "$status" -eq 1 ]
	[[ $output == *"nothing was held"* ]]
	run "$CHIME" hold --yes --expect 3 'zones/*'
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 3 ]
	run "$CHIME" release --yes --expect 3 'zones/*'
	[ "$status" -eq 0 ]
}

@test "what is not there: exit 3" {
	run "$CHIME" start nosuch
	[ "$status" -eq 3 ]
	run "$CHIME" log nosuch
	[ "$status" -eq 3 ]
	run "$CHIME" --via bravo show host/load@nowhere
	[ "$status" -eq 3 ]
}

@test "with a socket only, another server's job is refused: exit 4" {
	CHIME_CONFIG=/dev/null run "$CHIME" --via "$DEMO/bravo/control.sock" \
		start --force --yes --reason x zones/report@charlie
	[ "$status" -eq 4 ]
	CHIME_CONFIG=/dev/null run "$CHIME" --via "$DEMO/bravo/control.sock" ls -o name
	[ "$status" -eq 0 ]
}

@test "roles: a viewer looks and may not act: exit 4" {
	"$CHIME" ca issue --dir "$DEMO/ca" --role viewer --name eve --out "$BATS_TEST_TMPDIR/eve"
	sed 's/^socket:.*/socket: nobody/' "$DEMO/chime.yaml" |
		sed "s|id/\([a-z.]*\)|\1|" >"$BATS_TEST_TMPDIR/eve/chime.yaml"
	CHIME_CONFIG=$BATS_TEST_TMPDIR/eve/chime.yaml run "$CHIME" ls -o name
	[ "$status" -eq 0 ]
	CHIME_CONFIG=$BATS_TEST_TMPDIR/eve/chime.yaml run "$CHIME" \
		start --force --yes --reason x ledger/publish@charlie
	[ "$status" -eq 4 ]
}

@test "a certificate of another CA: exit 4, and the reason on both sides" {
	"$CHIME" ca init --environment DEMO --dir "$BATS_TEST_TMPDIR/ca"
	"$CHIME" ca issue --dir "$BATS_TEST_TMPDIR/ca" --role admin --name mallory \
		--out "$BATS_TEST_TMPDIR/m"
	port=$(sed -n 's/.*listen: //p' "$DEMO/alpha/chimed.yaml")
	# She trusts the right CA, so that it is the server that refuses.
	CHIME_TLS_CA=$DEMO/ca/ca.crt CHIME_TLS_CERTIFICATE=$BATS_TEST_TMPDIR/m/id.crt \
		CHIME_TLS_KEY=$BATS_TEST_TMPDIR/m/id.key CHIME_CONFIG=/dev/null \
		run "$CHIME" --via "$port" ls
	[ "$status" -eq 4 ]
	# She trusts her own CA only: she refuses the server.
	CHIME_TLS_CA=$BATS_TEST_TMPDIR/m/ca.crt CHIME_TLS_CERTIFICATE=$BATS_TEST_TMPDIR/m/id.crt \
		CHIME_TLS_KEY=$BATS_TEST_TMPDIR/m/id.key CHIME_CONFIG=/dev/null \
		run "$CHIME" --via "$port" ls
	[ "$status" -eq 5 ]
}

@test "--via NAME wants that name in the certificate" {
	port=$(sed -n 's/.*listen: //p' "$DEMO/alpha/chimed.yaml")
	run "$CHIME" --via "$port" ls -o name
	[ "$status" -eq 0 ]
	run "$CHIME" --via nosuch ls
	[ "$status" -eq 5 ]
}

@test "discover finds and proves all three, with nothing configured but the identity" {
	sed -e 's/^socket:.*/socket: nobody/' -e '/^servers:/d' "$DEMO/chime.yaml" \
		>"$DEMO/found.yaml"
	CHIME_CONFIG=$DEMO/found.yaml run "$CHIME" discover --json
	[ "$status" -eq 0 ]
	[ "$(member "['servers']|length")" -ge 3 ]
	[ "$(member "['servers'][0]['verified']")" = true ]
	CHIME_CONFIG=$DEMO/found.yaml run "$CHIME" --via charlie ls -o name
	[ "$status" -eq 0 ]
}

@test "reload: all or nothing" {
	printf 'job: extra\nserver: bravo\nrun: "true"\nuser: %s\n' "$(id -un)" \
		>"$DEMO/jobs/extra.yaml"
	run "$CHIME" --via bravo reload
	[ "$status" -eq 0 ]
	[[ $output == *"+ extra"* ]]
	printf 'jab: broken\n' >"$DEMO/jobs/zz.yaml"
	rm "$DEMO/jobs/extra.yaml"
	run "$CHIME" --via bravo reload
	[ "$status" -eq 1 ]
	[[ $output == *"zz.yaml:1:1"* ]]
	run "$CHIME" ls -o name extra@bravo
	[ "$output" = "extra@bravo" ]
	rm "$DEMO/jobs/zz.yaml"
	run "$CHIME" --via bravo reload --json
	[ "$status" -eq 0 ]
	[ "$(member "['changed']")" = true ]
}

@test "kill stops the whole tree of a run, and --wait says how it ended" {
	printf 'job: long\nserver: charlie\nrun: sleep 300 & wait\nuser: %s\nkill_grace: 1s\n' \
		"$(id -un)" >"$DEMO/jobs/long.yaml"
	"$CHIME" --via charlie reload
	"$CHIME" start --force --yes --reason x long@charlie
	eventually newest_is long@charlie RUNNING
	run "$CHIME" start --force --yes --reason x long@charlie
	[ "$status" -eq 1 ]
	run "$CHIME" start --force --yes --reason x --ignore overlap --wait --timeout 300ms \
		long@charlie
	[ "$status" -eq 6 ]
	run "$CHIME" kill --yes long@charlie
	[ "$status" -eq 0 ]
	eventually newest_is long@charlie KILLED
	rm "$DEMO/jobs/long.yaml"
}

# Runs chime on a terminal of its own, with these lines typed.
on_terminal() {
	local typed=$1
	shift
	run script -qec "$CHIME $*" /dev/null <<<"$typed"
}

@test "on a terminal a force shows what it ignores, and asks twice" {
	eventually newest_is ledger/verify@bravo FAILED
	count() { "$CHIME" runs --json ledger/publish@charlie | grep -o '"run":' | wc -l; }
	before=$(count)
	on_terminal n start --force ledger/publish@charlie
	[[ $output == *"IGNORES"* ]]
	[[ $output == *"NO  success(ledger/verify@bravo)"* ]]
	[[ $output == *"After success these start at once: ledger/archive@alpha"* ]]
	[[ $output == *"Start it anyway? [y/N]"* ]]
	[[ $output == *"nothing was started"* ]]
	[ "$status" -eq 1 ]
	on_terminal "" start --force ledger/publish@charlie
	[ "$status" -eq 1 ]
	on_terminal $'y\n' start --force ledger/publish@charlie
	[[ $output == *"no reason, so nothing was started"* ]]
	[ "$(count)" = "$before" ]
	on_terminal $'y\nINC-4711' start --force ledger/publish@charlie
	[ "$status" -eq 0 ]
	[[ $output == *"started  ledger/publish@charlie"* ]]
	run "$CHIME" runs --json --limit 1 ledger/publish@charlie
	[ "$(member "['runs'][0]['reason']")" = '"INC-4711"' ]
}

@test "on a terminal several targets need their number typed" {
	on_terminal 2 hold "'zones/*'"
	[ "$status" -eq 1 ]
	[[ $output == *"3 targets match:"* ]]
	[[ $output == *"nothing was held"* ]]
	on_terminal 3 hold "'zones/*'"
	[ "$status" -eq 0 ]
	on_terminal 3 release "'zones/*'"
	[ "$status" -eq 0 ]
}

@test "on a terminal: colours when asked for, times of today, control characters harmless" {
	export TERM=xterm
	on_terminal "" ls
	[[ $output == *$'\033['* ]]
	NO_COLOR=1 on_terminal "" ls
	no_escape "$output"
	printf 'job: evil\nserver: alpha\nrun: printf "a\\033[2Jb\\n"\nuser: %s\n' "$(id -un)" \
		>"$DEMO/jobs/evil.yaml"
	"$CHIME" reload
	run "$CHIME" start --wait evil@alpha
	[ "$status" -eq 0 ]
	NO_COLOR=1 on_terminal "" log evil@alpha
	[[ $output == *'a\x1b[2Jb'* ]]
	no_escape "$output"
	run "$CHIME" log evil@alpha
	[[ $output == $'a\033[2Jb' ]]
	rm "$DEMO/jobs/evil.yaml"
}

@test "kill by number stops that run and no other, also through another server" {
	printf 'job: twice\nserver: charlie\nrun: sleep 300\nuser: %s\noverlap: parallel 3\n' \
		"$(id -un)" >"$DEMO/jobs/twice.yaml"
	"$CHIME" --via charlie reload
	numbers=()
	for _ in 1 2 3; do
		run "$CHIME" start --force --yes --reason x --json twice@charlie
		numbers+=("$(member "['effects'][0]['run']")")
		[ "$status" -eq 0 ]
	done
	all_running() {
		run "$CHIME" runs --json --limit 3 twice@charlie
		[ "$(grep -o '"state":"RUNNING"' <<<"$output" | wc -l)" -eq "$1" ]
	}
	eventually all_running 3
	run "$CHIME" --via bravo kill --yes "${numbers[0]}@charlie"
	[ "$status" -eq 0 ]
	eventually all_running 2
	run "$CHIME" kill --yes --expect 2 "${numbers[1]}@charlie" "${numbers[2]}@charlie"
	[ "$status" -eq 0 ]
	eventually all_running 0
	rm "$DEMO/jobs/twice.yaml"
}

@test "events -f --json: one object a line, ended by Ctrl-C" {
	"$CHIME" events -f --json --limit 1 >"$BATS_TEST_TMPDIR/events" &
	pid=$!
	three_lines() { [ "$(wc -l <"$BATS_TEST_TMPDIR/events")" -ge 3 ]; }
	eventually three_lines
	kill -INT $pid
	wait $pid || [ $? -eq 130 ]
	head -n 1 "$BATS_TEST_TMPDIR/events" | grep -q '"schema":"chime.event/1"'
}
