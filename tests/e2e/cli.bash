# cli.bash - what the cli_*.bats share: an environment of three real servers, made by the demo.
#
# BUILD is the folder with the programs (default: build beside tests). An environment is started
# once for a file and ended by its guardian, which removes everything.

BUILD=${BUILD:-$BATS_TEST_DIRNAME/../../build}
CHIME=$BUILD/chime

# No identity, no configuration, no socket of this machine leads anywhere.
alone() {
	unset CHIME_VIA CHIME_TLS_CA CHIME_TLS_CERTIFICATE CHIME_TLS_KEY CHIME_TZ
	export CHIME_CONFIG=/dev/null CHIME_SOCKET=$BATS_FILE_TMPDIR/nobody.sock
	export LC_ALL=C.UTF-8 TERM=dumb
}

# Three servers with the example jobs; afterwards CHIME_CONFIG leads to them.
start_demo() {
	unset CHIME_SOCKET
	DEMO=$BATS_FILE_TMPDIR/demo
	"$CHIME" demo --keep --for 1s --dir "$DEMO" >"$BATS_FILE_TMPDIR/demo.out" 2>&1 </dev/null ||
		{ cat "$BATS_FILE_TMPDIR/demo.out"; return 1; }
	GUARDIAN=$(sed -n 's/^demo: end it:  kill \([0-9]*\) .*/\1/p' "$BATS_FILE_TMPDIR/demo.out")
	export DEMO GUARDIAN CHIME_CONFIG=$DEMO/chime.yaml
}

stop_demo() {
	[ -n "$GUARDIAN" ] || return 0
	kill "$GUARDIAN" || return 0
	until_gone "$GUARDIAN"
}

until_gone() {
	local _
	for _ in $(seq 200); do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.05
	done
	return 1
}

# Repeats a command until it succeeds, at most 20 s.
eventually() {
	local _
	for _ in $(seq 200); do
		"$@" && return 0
		sleep 0.1
	done
	"$@"
}

# A member of the JSON in $output, by its path: member "['runs'][0]['state']"
member() {
	# shellcheck disable=SC2154
	jq -c ".${1//\'/\"}" <<<"$output"
}
