#!/usr/bin/env bats
# chime demo: figures at the end, and nothing left, however it ends.

bats_require_minimum_version 1.5.0
load cli

setup() {
	alone
	export TMPDIR=$BATS_TEST_TMPDIR
}

nothing_left() {
	! ls -d "$BATS_TEST_TMPDIR"/chime-demo.* 2>/dev/null &&
		! pgrep -f "config $BATS_TEST_TMPDIR/"
}

all_up() { grep -q 'all servers are up' "$BATS_TEST_TMPDIR/out"; }

@test "demo --for --json: the last line is its figures" {
	run --separate-stderr "$CHIME" demo --for 9s --json
	[ "$status" -eq 0 ]
	output=${lines[-1]}
	[ "$(member "['schema']")" = '"chime.demo/1"' ]
	[ "$(member "['servers']")" = 3 ]
	[ "$(member "['chains']")" -ge 2 ]
	[ "$(member "['runs']['success']")" -ge 6 ]
	[ "$(member "['runs']['failed']")" -ge 1 ]
	jq -e '.handoff_ms | has("median")' <<<"$output"
	nothing_left
}

@test "two demos at once do not meet" {
	"$CHIME" demo --for 5s --json >"$BATS_TEST_TMPDIR/a" 2>&1 &
	pid=$!
	run --separate-stderr "$CHIME" demo --for 5s --servers 4 --json
	[ "$status" -eq 0 ]
	wait $pid
	[ "$(member "['servers']")" = 4 ]
	output=$(cat "$BATS_TEST_TMPDIR/a")
	[ "$(member "['servers']")" = 3 ]
	nothing_left
}

ends_by() {
	"$CHIME" demo >"$BATS_TEST_TMPDIR/out" 2>&1 </dev/null &
	local pid=$!
	eventually all_up
	kill "-$1" $pid
	wait $pid || true
	eventually nothing_left
}

@test "nothing is left after Ctrl-C" { ends_by INT; }
@test "nothing is left after SIGTERM" { ends_by TERM; }
@test "nothing is left after a lost terminal" { ends_by HUP; }
@test "nothing is left after kill -9" { ends_by KILL; }

@test "nothing is left when it is killed while it begins" {
	"$CHIME" demo >"$BATS_TEST_TMPDIR/out" 2>&1 </dev/null &
	pid=$!
	made() { ls -d "$BATS_TEST_TMPDIR"/chime-demo.*/alpha >/dev/null 2>&1; }
	eventually made
	kill -KILL $pid
	wait $pid || true
	eventually nothing_left
}

@test "--keep leaves an environment that works; its guardian ends it" {
	start_demo
	run "$CHIME" ls -o name
	[ "$status" -eq 0 ]
	kill -KILL "$(pgrep -f "config $DEMO/bravo/" | head -n 1)"
	stop_demo
	[ ! -e "$DEMO" ]
}

@test "a folder that holds something is refused" {
	mkdir "$BATS_TEST_TMPDIR/full"
	touch "$BATS_TEST_TMPDIR/full/precious"
	run "$CHIME" demo --for 1s --dir "$BATS_TEST_TMPDIR/full"
	[ "$status" -eq 2 ]
	[ -e "$BATS_TEST_TMPDIR/full/precious" ]
}
