#!/usr/bin/env bats
# What chime does without any server: help, check, next --file, ca, its errors and exit codes.

# shellcheck disable=SC2154,SC2016
bats_require_minimum_version 1.5.0
load cli

setup() { alone; }

@test "chime alone prints a short help" {
	run "$CHIME"
	[ "$status" -eq 0 ]
	[[ $output == "usage: chime COMMAND"* ]]
}

@test "every command has help that fits a screen" {
	run "$CHIME" help
	[ "$status" -eq 0 ]
	while read -r words; do
		# shellcheck disable=SC2086
		run "$CHIME" $words --help
		[ "$status" -eq 0 ]
		[ "${#lines[@]}" -le 24 ]
		[[ $output == *"chime ${words}"* ]]
	done < <("$CHIME" help | sed -n 's/^  \([a-z]* \{0,1\}[a-z]*\)  .*/\1/p')
}

@test "unknown words get the nearest name, exit 2, and nothing on stdout" {
	run --separate-stderr "$CHIME" relaese x
	[ "$status" -eq 2 ]
	[ -z "$output" ]
	[[ $stderr == *'did you mean `release`?'* ]]
	run --separate-stderr "$CHIME" ls --trubble
	[ "$status" -eq 2 ]
	[[ $stderr == *"did you mean --trouble?"* ]]
	run --separate-stderr "$CHIME" help strat
	[ "$status" -eq 2 ]
	[[ $stderr == *"start"* ]]
}

@test "no daemon: what, why, try and exit 5" {
	run --separate-stderr "$CHIME" ls
	[ "$status" -eq 5 ]
	[[ ${stderr_lines[0]} == "chime: nothing is running at $CHIME_SOCKET" ]]
	[[ ${stderr_lines[1]} == "why:   chimed is not started on this machine" ]]
	[[ ${stderr_lines[2]} == "try:   "* ]]
}

@test "a server by name or endpoint needs a certificate: exit 4" {
	run "$CHIME" --via db1 ls
	[ "$status" -eq 4 ]
	run "$CHIME" --via 127.0.0.1:1 ls
	[ "$status" -eq 4 ]
	run "$CHIME" discover
	[ "$status" -eq 4 ]
}

@test "a broken chime.yaml is told with its place" {
	printf 'enviroment: X\n' >"$BATS_TEST_TMPDIR/chime.yaml"
	run "$CHIME" --config "$BATS_TEST_TMPDIR/chime.yaml" ls
	[ "$status" -eq 2 ]
	[[ $output == *"chime.yaml:1:1: error: unknown key 'enviroment'"* ]]
	[[ $output == *"did you mean 'environment'?"* ]]
}

@test "check: errors with file, line and column; exit 1" {
	mkdir "$BATS_TEST_TMPDIR/jobs"
	printf 'job: a\nserver: s\nrun: "true"\nafer: success(b)\n' >"$BATS_TEST_TMPDIR/jobs/a.yaml"
	run --separate-stderr "$CHIME" check "$BATS_TEST_TMPDIR/jobs"
	[ "$status" -eq 1 ]
	[[ $stderr == *"jobs/a.yaml:4:1: error: unknown key 'afer'"* ]]
	[[ $output == *"1 error"* ]]
	run "$CHIME" check --json "$BATS_TEST_TMPDIR/jobs"
	[ "$status" -eq 1 ]
	[ "$(member "['messages'][0]['line']")" = 4 ]
	run "$CHIME" check "$BATS_TEST_TMPDIR/nothing"
	[ "$status" -eq 2 ]
}

@test "check: the examples are valid as they stand" {
	run "$CHIME" check "$BATS_TEST_DIRNAME/../../examples"
	[ "$status" -eq 0 ]
	[[ $output == *"0 errors, 0 warnings"* ]]
}

@test "next --file --json is a bare array, from exclusive" {
	printf 'job: a\nserver: s\nrun: "true"\nat: 02:30\ntimezone: Europe/Berlin\n' \
		>"$BATS_TEST_TMPDIR/a.yaml"
	run "$CHIME" next --file "$BATS_TEST_TMPDIR/a.yaml" --from 2024-03-31T00:59:59Z \
		--count 2 --json
	[ "$status" -eq 0 ]
	[ "$output" = '[{"slot":"2024-03-31T02:30","time":"2024-03-31T01:00:00Z"},{"slot":"2024-04-01T02:30","time":"2024-04-01T00:30:00Z"}]' ]
	run "$CHIME" next --file "$BATS_TEST_TMPDIR/a.yaml" --from 2024-03-31T01:00:00Z \
		--count 1 --json
	[ "$output" = '[{"slot":"2024-04-01T02:30","time":"2024-04-01T00:30:00Z"}]' ]
}

@test "ca init and ca issue write what the contract says" {
	cd "$BATS_TEST_TMPDIR"
	run "$CHIME" ca init --environment T --dir ca
	[ "$status" -eq 0 ]
	[ "$(cd ca
	echo *)" = "bus.key ca.crt ca.key" ]
	[[ $(cat ca/bus.key) =~ ^chime-bus-key1\ [^\ ]+\ [0-9a-f]{64}$ ]]
	run "$CHIME" ca init --environment T --dir ca
	[ "$status" -eq 1 ]
	run "$CHIME" ca issue --dir ca --role server --name db1 --out db1
	[ "$status" -eq 0 ]
	[ "$(cd db1
	echo *)" = "bus.key ca.crt id.crt id.key" ]
	[ "$(stat -c %a db1 db1/id.key | xargs)" = "700 600" ]
	run "$CHIME" ca issue --dir ca --role operator --name alice --out alice
	[ "$(cd alice
	echo *)" = "ca.crt id.crt id.key" ]
	run "$CHIME" ca issue --dir ca --role king --name x --out x
	[ "$status" -eq 2 ]
	run "$CHIME" ca issue --dir ca --role server --name x
	[ "$status" -eq 2 ]
	[ ! -e x ]
}

@test "a key that others can read is refused" {
	cd "$BATS_TEST_TMPDIR"
	"$CHIME" ca init --environment T --dir ca
	"$CHIME" ca issue --dir ca --role viewer --name v --out v
	chmod 644 v/id.key
	touch v/chime.yaml
	CHIME_CONFIG=v/chime.yaml run "$CHIME" discover
	[ "$status" -eq 2 ]
	[[ $output == *"0644"* ]]
}

@test "version" {
	run "$CHIME" --version
	[ "$status" -eq 0 ]
	[[ $output == "chime "* ]]
	run "$CHIME" version --json
	[ "$(member "['schema']")" = '"chime.version/1"' ]
}

@test "nobody reads the answer: no noise" {
	run bash -c "'$CHIME' help | true"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}
