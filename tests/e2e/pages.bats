#!/usr/bin/env bats
# pages.bats - chime-conditions(7) and chime-control(7) are true: their examples are tested, their
# table of runs is decided by the engine, their bytes are sent to a server.
# bats file_tags=e2e

# shellcheck disable=SC2154
bats_require_minimum_version 1.5.0
load cli

MAN=$BATS_TEST_DIRNAME/../../man

setup() {
	alone
	cd "$BATS_TEST_TMPDIR" || return 1
}

teardown() { stop_demo; }

# Block N of the literal blocks of a page goes to N.block, as it is read.
extract() {
	awk '
		/^\.Bd -literal/ { inside = 1; n++; next }
		/^\.Ed/ { inside = 0 }
		inside {
			gsub(/\\\(dq/, "\"")
			gsub(/\\\(ha/, "^")
			gsub(/\\e/, "\\")
			print > (sprintf("%03d", n) ".block")
		}' "$MAN/$1"
}

@test "chime-conditions(7): its jobs are jobs, and check says what stands there" {
	local block last='' good=0 said=0
	extract chime-conditions.7
	for block in *.block; do
		if grep -qE '^(job|defaults):' "$block"; then
			# The last one was followed by no errors: it has none.
			if [[ -n $last ]]; then
				run "$CHIME" check "$last"
				echo "$last: $output"
				[[ $status -eq 0 ]]
				good=$((good + 1))
			fi
			last=$block
		elif grep -q '^bad.yaml:' "$block"; then
			mv "$last" bad.yaml
			last=
			run --separate-stderr "$CHIME" check bad.yaml
			echo "$block: $stderr"
			if grep -q '^bad.yaml:.* error:' "$block"; then
				[[ $status -eq 1 ]]
			fi
			[[ $stderr == *"$(cat "$block")"* ]]
			said=$((said + 1))
		fi
	done
	run "$CHIME" check "$last"
	[[ $status -eq 0 ]]
	((good >= 6 && said >= 5))
}

@test "chime-conditions(7): what this version does not have is refused by its name" {
	local text name
	while IFS='|' read -r text name; do
		printf 'job: x\nserver: s\nrun: "true"\nafter: %s\n' "$text" >x.yaml
		run "$CHIME" check x.yaml
		echo "$text: $output"
		[[ $status -eq 1 && $output == *"'$name' is not supported by this version"* ]]
	done <<-'END'
	killed(a)|killed
	t(a)|killed
	timeout(a)|timeout
	lost(a)|lost
	started(a)|started
	running(a)|running
	n(a)|notrunning
	skipped(a)|skipped
	missed(a)|missed
	late(a)|late
	exit(a) > 3|exit
	e(a) = 3|exit
	value(k) == 1|value
	v(k) = x|value
	not s(a)|not
	any of (s(a), s(b))|any of
	all of (s(a))|all of
	atleast 2 of (s(a))|atleast N of
	s(a) cycle last|cycle
	s(a) since me|since
	s(a) within 1h|within
	s(a) latest|latest
	s(a) ever|ever
	s(a) on 2026-11-20|on
	s(a) if planned|if
	END
	for text in 's(a*)|wildcards' 's(a, 24.00)|look-back' 's(a) & s(b)|write' 's(a) AND s(b)|write'; do
		printf 'job: x\nserver: s\nrun: "true"\nafter: %s\n' "${text%|*}" >x.yaml
		run "$CHIME" check x.yaml
		echo "$text: $output"
		[[ $status -eq 1 && $output == *"${text#*|}"* ]]
	done
}

# The lines of the table of runs as vectors of tests/vectors/conditions.jsonl.
vectors() {
	sed -n '/^CONDITION  *EVENTS/,/^\.Ed/p' "$MAN/chime-conditions.7" | sed '1d;$d' |
		awk -F '   *' '
		function outcome(mark) {
			return mark == "+" ? "success" : mark == "-" ? "failure" : "killed"
		}
		{
			n = split($2, events, " "); list = ""
			for (i = 1; i <= n; i++)
				list = list (i > 1 ? "," : "") sprintf("[\"%s\",\"%s\"]",
					substr(events[i], 1, 1), outcome(substr(events[i], 2)))
			m = split($3, runs, " "); made = ""
			for (i = 1; i <= m; i++) {
				split(runs[i], run, ":")
				made = made (i > 1 ? "," : "") \
					sprintf("{\"event\":%s,\"proofs\":[%s]}", run[1], run[2])
			}
			printf "{\"after\":\"%s\",\"events\":[%s],\"runs\":[%s]}\n", $1, list, made
		}'
}

@test "chime-conditions(7): the engine makes the runs of its table" {
	[[ -x $BUILD/unit/test_engine ]] || skip "make units builds what decides"
	mkdir good wrong
	vectors >lines
	(($(wc -l <lines) >= 15))
	jq -c . lines >/dev/null
	# test_engine wants 30 at least.
	cat lines lines >good/conditions.jsonl
	CHIME_VECTORS=$PWD/good run "$BUILD/unit/test_engine"
	echo "$output"
	[[ $status -eq 0 ]]
	# And it would have said so.
	sed 's/"event":2,"proofs":\[2\]/"event":1,"proofs":[1]/' good/conditions.jsonl \
		>wrong/conditions.jsonl
	CHIME_VECTORS=$PWD/wrong run "$BUILD/unit/test_engine"
	[[ $status -ne 0 ]]
}

@test "chime-control(7): its bytes are a request, in both forms" {
	extract chime-control.7
	local hex text block
	for block in *.block; do
		! grep -q '^00 00' "$block" || hex=$(tr -d ' \n' <"$block")
		! grep -q '^{ printf' "$block" || text=$(sed -n "s/^{ printf '\([^']*\)'.*/\1/p" "$block")
	done
	[[ -n $hex && -n $text ]]
	# shellcheck disable=SC2059  # it is a format
	[[ $(printf "$text" | od -An -tx1 | tr -d ' \n') == "$hex" ]]
	cd "$BATS_FILE_TMPDIR"
	start_demo
	local id server
	id=$(dirname "$(sed -n 's/^ *certificate: *//p' "$CHIME_CONFIG" | tr -d '"' | head -n 1)")
	[[ $id == /* ]] || id=$(dirname "$CHIME_CONFIG")/$id
	server=$("$CHIME" server ls --json | jq -r '.servers[0].address[0] // .servers[0].addresses[0]')
	mkfifo stay
	# shellcheck disable=SC2059
	{
		printf "$text"
		cat stay
	} | openssl s_client -quiet -connect "$server" -CAfile "$id/ca.crt" -cert "$id/id.crt" \
		-key "$id/id.key" >answer 2>said 3>&- &
	eventually grep -aq 'eod/' answer || { cat said; return 1; }
	echo >stay
	# hello: who I am; then rows of jobs and nothing refused.
	grep -aq admin answer
}
