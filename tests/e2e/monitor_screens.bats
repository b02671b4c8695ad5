#!/usr/bin/env bats
# monitor_screens.bats - the monitor on real terminals: golden screens over sizes, TERMs and
# locales, every way out, and 100,000 random keys.
#
# UPDATE_GOLDEN=1 writes the golden screens anew: look at every difference.
# bats file_tags=e2e

bats_require_minimum_version 1.5.0
load lib.bash
load tmux.bash

GOLDEN=$BATS_TEST_DIRNAME/../screens/golden

setup_file() {
	export ENVIRONMENT_NAME=GOLD
	env_make db1 db2
	jobs_write all.yaml <<-'END'
	job: eod/extract
	server: db1
	run: [sleep, "1"]
	---
	job: eod/load-positions
	server: db2
	after: success(eod/extract@db1)
	run: [sh, -c, "sleep 1; exit 3"]
	---
	job: eod/report
	server: db1
	after: success(eod/load-positions@db2)
	run: [true]
	---
	job: eod/archive
	server: db2
	run: [true]
	---
	job: stats/roll
	server: db1
	run: [true]
	END
	server_start db1 db2
	env_together
	on db1 start eod/extract >/dev/null
	on db2 hold --yes --reason 'disk swap' eod/archive >/dev/null
	wait_run db1 eod/load-positions@db2 FAILED
}
teardown_file() { env_down; }
setup() { MON_ENV="TZ=UTC"; }
teardown() { mon_stop; }

desk() {
	mon_start "$1" "$2" "$3" --config "$T/alice/chime.yaml" --via "$(<"$T/db1/address")" "${@:4}"
}

# Times of day, spans and counts of what was heard differ from run to run, and nothing else does.
steady() {
	sed -E -e 's/[0-9]{2}:[0-9]{2}(:[0-9]{2})?/HH:MM/g' \
		-e 's/ +[0-9]+(ms|s|m[0-9]{2}s|\.[0-9]s)( |$)/ SPAN\2/g' -e 's/ +$//' \
		-e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}/DATE/g'
}

# golden NAME - the screen, or the file, decides
golden() {
	local file=$GOLDEN/terminal-$1.txt
	mon_screen | steady >"$T/screen"
	[[ -z ${UPDATE_GOLDEN-} ]] || cp "$T/screen" "$file"
	diff -u "$file" "$T/screen" >&2 || { echo "differs: $1" >&2; return 1; }
}

# Waits until nothing of it moves any more: then it is what it will be.
settled() {
	local seen before=""
	for _ in {1..100}; do
		seen=$(mon_screen | steady)
		[[ $seen != "$before" ]] || return 0
		before=$seen
		sleep 0.4
	done
	return 1
}

screens() {
	local term=$1 locale=$2 glyphs=$3 size
	for size in 200x60 132x40 80x24 60x20 40x12 20x4; do
		desk "$size" "$term" "$locale"
		mon_shows 'LIVE' 20
		mon_shows 'FA ?1'
		settled
		golden "$size-$glyphs"
	done
	mon_size 80x24
	mon_shows 'LIVE group'
	mon_keys '?'
	mon_shows 'Help'
	golden "help-$glyphs"
	mon_keys Escape
	mon_hides 'Help - '
	mon_keys a f
	mon_shows 'Force start'
	mon_shows 'Reason'
	golden "force-$glyphs"
}

@test "golden screens: xterm-256color, UTF-8" { screens xterm-256color C.UTF-8 utf8; }
@test "golden screens: screen, UTF-8" { screens screen C.UTF-8 utf8; }
@test "golden screens: linux, UTF-8" { screens linux C.UTF-8 utf8; }
@test "golden screens: xterm-256color, C locale" { screens xterm-256color C ascii; }
@test "golden screens: linux, C locale" { screens linux C ascii; }
@test "golden screens: vt100 is ASCII in any locale" { screens vt100 C.UTF-8 ascii; }

@test "without colours the states are told apart by their letters, and nothing is coloured" {
	desk 80x24 xterm-256color C.UTF-8 --color never
	mon_shows 'LIVE group'
	mon_shows 'FA eod/load-positions'
	settled
	mon_colors >"$T/colors"
	run ! grep -qE $'\e\\[([0-9;]*;)?(3[0-7]|4[0-7]|9[0-7]|38|48)[;m]' "$T/colors"
	mon_stop
	MON_ENV="TZ=UTC NO_COLOR=1" desk 80x24 xterm-256color C.UTF-8
	mon_shows 'LIVE group'
	mon_colors >"$T/colors"
	run ! grep -qE $'\e\\[([0-9;]*;)?(3[0-7]|4[0-7]|9[0-7]|38|48)[;m]' "$T/colors"
}

@test "any size while it runs: no garbage, no end" {
	desk 80x24 xterm-256color C.UTF-8
	mon_shows 'LIVE group'
	for size in 10x2 200x60 1x1 33x7 300x3 20x3 5x50 80x24; do
		mon_size "$size"
		sleep 0.1
	done
	mon_shows 'LIVE group'
	settled
	golden 80x24-utf8
}

# acted - what people did and what ran, by the log of one server
acted() {
	json db1 events --limit 10000 '[.events[] | select(.by != null or (.kind | startswith("run.")))
		| [.server, .seq, .kind]] | length'
}

@test "100,000 random keys without y change nothing, and it goes on" {
	# The pager would take the keys, and is another program.
	export PAGER=true
	# What they save, they save there.
	mkdir "$T/keys" && cd "$T/keys"
	before=$(acted)
	typed=0 seed=1
	while ((typed < 100000)); do
		# q and F10 at the top end it, and rightly: then the next begins.
		# A paste may have begun among them; its end first, or Ctrl-C would be pasted.
		printf '%s\n' 'expect LIVE' "random 25000 $seed yqQ\\x03" 'keys \e[201~' \
			'quiet 200' 'keys \x03' >"$T/script"
		"$BUILD/ptydrive" -s 40x120 -T 120 -i "$T/script" -o "$T/typed" -- "$BUILD/chime" \
			--config "$T/ada/chime.yaml" --via "$(<"$T/db1/address")" monitor >"$T/report" ||
			grep -q '^exit=0' "$T/report"
		cat "$T/report"
		grep -q '^termios=same' "$T/report"
		run ! grep -q '^signal=\(11\|6\|7\|8\|4\)$' "$T/report"
		typed=$((typed + $(sed -n 's/^typed=\([0-9]*\).*/\1/p' "$T/report")))
		seed=$((seed + 1))
		((seed < 200))
	done
	[ "$(acted)" = "$before" ]
	echo "# $typed bytes typed in $((seed - 1)) sessions" >&3
}

@test "it is an ordinary program: no terminal, wrong options, wrong filter" {
	refuses 2 chime monitor </dev/null
	says "needs a terminal"
	says "chime status"
	refuses 2 chime monitor --view pie
	says "jobs, servers or events"
	refuses 2 chime monitor now
}

@test "chime demo opens it, and ends with it" {
	mon_stop
	MON_SOCKET=chime-test-$$-demo
	tm new-session -d -s m -x 100 -y 30 "TERM=dumb sh"
	tm set -g status off
	mon_type "TMPDIR=$T LC_ALL=C.UTF-8 TERM=xterm-256color $BUILD/chime demo; echo \"ended \$?\""
	mon_keys Enter
	mon_shows 'LIVE group' 40
	mon_shows 'zones/extract +alpha'
	mon_keys q
	mon_shows 'demo: stopped 3 servers' 30
	mon_shows 'ended 0'
	run compgen -G "$T/chime-demo.*"
	[ -z "$output" ]
}
