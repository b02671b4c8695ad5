#!/usr/bin/env bats
# monitor_screen.bats - the monitor's screen on terminals of several kinds: what it gives back
# however it ends, which bytes are which keys, sizes, pastes, Ctrl-Z.
# bats file_tags=e2e
# shellcheck disable=SC2030,SC2031  # every test is its own shell

bats_require_minimum_version 1.5.0

: "${BUILD:=$BATS_TEST_DIRNAME/../../build}"

TERMS="xterm-256color xterm screen tmux-256color linux vt100"

setup() {
	T=$(mktemp -d "${BATS_TMPDIR:-/tmp}/chime-screen.XXXXXX")
	export LC_ALL=C.UTF-8
	unset LINES COLUMNS STY ESCDELAY
}
teardown() {
	[[ ! -e $T/tmux ]] || tmux -S "$T/tmux" kill-server || true
	rm -rf "$T"
}

# drive TERM [WORD...] - plays the script on stdin to screen_try; its report is in $output, the
# keys it got in $T/keys, what it wrote in $T/out
drive() {
	local term=$1
	shift
	run -0 --separate-stderr "$BUILD/ptydrive" -t "$term" -T 30 -o "$T/out" ${SIZE:+-s "$SIZE"} \
		-- "$BUILD/screen_try" "$T/keys" "$@"
}

# ended EXIT-OR-SIGNAL - as said, and the terminal is as it was
ended() {
	echo "$output" | paste -sd' '
	grep -qx "$1" <<<"$output"
	grep -qx 'termios=same' <<<"$output"
	grep -qx 'modes=clean' <<<"$output"
	grep -qx 'keypad=normal' <<<"$output"
	grep -qx 'rendition=normal' <<<"$output"
}

got_keys() {
	paste -sd' ' "$T/keys"
	[[ $(paste -sd' ' "$T/keys") == "$1" ]]
}

@test "the terminal is given back after q and after exit, on every kind" {
	for term in $TERMS; do
		drive "$term" <<<$'expect end\nkeys abq'
		ended exit=0
		got_keys 'a b q'
		drive "$term" <<<$'expect end\nkeys Q'
		ended exit=3
	done
}

@test "the terminal is given back after TERM, HUP and INT, which end the loop" {
	for pair in TERM=143 HUP=129 INT=130; do
		for term in xterm-256color linux vt100; do
			drive "$term" <<<$'expect end\nsignal '"${pair%=*}"
			ended "exit=${pair#*=}"
		done
	done
}

@test "the terminal is given back by deadly signals, and the status is theirs" {
	for pair in SEGV=11 ABRT=6 BUS=7 FPE=8 ILL=4 QUIT=3; do
		drive xterm-256color <<<$'expect end\nsignal '"${pair%=*}"
		ended "signal=${pair#*=}"
	done
	for term in $TERMS; do
		drive "$term" <<<$'expect end\nkeys X'
		ended signal=11
	done
}

@test "the terminal is given back after an overflow of the stack" {
	drive xterm-256color <<<$'expect end\nkeys R'
	ended signal=11
}

@test "a terminal that goes away ends it" {
	drive xterm-256color <<<$'expect end\nhangup'
	grep -qx 'exit=129' <<<"$output"
}

@test "the same keys on every kind of terminal" {
	for term in $TERMS; do
		drive "$term" <<-'END'
			expect end
			keys a\r\x08\x7f\xc3\xa9\xff\e[3~\e[5~\eOA\e[B\e[25~\e[1;5C\ex\e]11;x\x07
			quiet 60
			keys \e
			quiet 60
			keys \x03q
		END
		ended exit=0
		got_keys 'a U+000D backspace backspace U+00E9 other delete page-up up down other other other other U+001B U+0003 q'
	done
}

@test "without UTF-8 bytes above ASCII are no keys, and nothing but ASCII is drawn" {
	LC_ALL=C drive xterm-256color <<<$'expect end\nkeys \\xc3\\xa9q'
	ended exit=0
	got_keys 'other other q'
	run ! grep -q '[^ -~[:space:][:cntrl:]]' "$T/out"
	grep -q -- '+-- ' "$T/out"
}

@test "a paste is no command; while typing its characters come and nothing else" {
	drive xterm-256color <<-'END'
		expect end
		keys a\e[200~qQX\r\x03\e[A\e[201~bT
		keys \e[200~qQ\rX\x03\e[A\e[201~Tq
	END
	ended exit=0
	got_keys 'a b T q Q X T q'
}

@test "100,000 random keys without the commands change nothing, on every palette of bytes" {
	for term in xterm-256color linux; do
		drive "$term" <<-'END'
			expect end
			random 100000 7 qQXRT\x1a
			quiet 100
			keys q
		END
		ended exit=0
		run ! grep -qx '[QXRT]' "$T/keys"
		[[ $(wc -l <"$T/keys") -gt 50000 ]]
	done
}

@test "wheel and click, where the mouse is wanted, and none of it otherwise" {
	drive xterm-256color mouse <<-'END'
		expect end
		keys \e[<64;5;3M
		quiet 40
		keys \e[<65;5;3M
		quiet 40
		keys \e[<0;7;4M
		quiet 40
		keys \e[<0;7;4m
		quiet 40
		keys q
	END
	ended exit=0
	grep -qx 'click 3 6' "$T/keys"
	grep -qx wheel-up "$T/keys"
	grep -qx wheel-down "$T/keys"
	grep -qF $'\e[?1006;1000h' "$T/out"
	drive xterm-256color <<<$'expect end\nkeys \\e[<0;7;4Mq'
	ended exit=0
	run ! grep -qF '1000h' "$T/out"
	got_keys 'other q'
}

@test "copying sends base64 to terminals that have a clipboard, and nothing to others" {
	drive xterm-256color <<<$'expect end\nkeys Y\nexpect \\e]52;c;ZW9kL3JlcG9ydEBhcHAx\\x07\nkeys q'
	ended exit=0
	drive linux <<<$'expect end\nkeys Y\nquiet 60\nkeys q'
	ended exit=0
	run ! grep -qF ']52;' "$T/out"
}

@test "any size, and changes of it" {
	local SIZE
	for SIZE in 1x1 3x20 12x40 60x200 0x0 65535x65535; do
		drive xterm-256color <<-'END'
			quiet 100
			size 10x30
			quiet 50
			size 1x1
			quiet 50
			size 24x80
			expect 24x80
			keys q
		END
		ended exit=0
	done
}

@test "no colour goes out in mono, and never blue" {
	drive xterm-256color mono <<<$'expect end\nkeys PPPq'
	ended exit=0
	run ! grep -qE $'\e\\[([0-9;]*;)?[34][0-7]m' "$T/out"
	drive xterm-256color <<<$'expect end\nkeys P\nexpect key\nkeys P\nquiet 50\nkeys P\nquiet 50\nkeys q'
	ended exit=0
	grep -qF $'\e[31m' "$T/out"
	run ! grep -qE $'\e\\[([0-9;]*;)?(3[04]|4[0-7]|90|94)m' "$T/out"
}

@test "a terminal that cannot is refused with what, why, try" {
	for term in dumb nosuch; do
		drive "$term" </dev/null
		grep -qx 'exit=2' <<<"$output"
		grep -qx 'termios=same' <<<"$output"
		grep -q "^why: .*TERM=$term" "$T/out"
		grep -q '^try: .*chime status, chime ls' "$T/out"
		run ! grep -q $'\e' "$T/out"
	done
	run -2 "$BUILD/screen_try" "$T/keys" </dev/null
	[[ $output == *"standard input is not a terminal"* ]]
}

# ---- in a shell of a terminal with eyes ----

mux() { tmux -S "$T/tmux" -f /dev/null "$@"; }

# shows TEXT - the picture has it, soon
shows() {
	local _
	for _ in {1..100}; do
		if mux capture-pane -p | grep -qF -- "$1"; then
			return 0
		fi
		sleep 0.05
	done
	mux capture-pane -p
	return 1
}

@test "Ctrl-Z gives the terminal to the shell, fg takes it back" {
	mux new-session -d -x 80 -y 24 "env PS1='ready> ' bash --norc --noprofile"
	shows 'ready>'
	mux send-keys "stty -g >$T/before; $BUILD/screen_try $T/keys" Enter
	shows 'hostile'
	mux send-keys C-z
	shows 'Stopped'
	mux send-keys "stty -g >$T/after; cmp $T/before $T/after && echo modes-are-same" Enter
	shows $'\nmodes-are-same' || shows 'modes-are-same'
	cmp "$T/before" "$T/after"
	mux send-keys 'fg' Enter
	shows 'hostile'
	mux send-keys C-s b
	shows 'key 2 b'
	mux send-keys q
	shows 'Stopped'
	got_keys 'other b q'
}

@test "one picture on all kinds of terminals, hostile text harmless" {
	local term
	mux new-session -d -x 80 -y 24 sleep 1000
	for term in xterm-256color screen linux; do
		mux respawn-pane -k "env TERM=$term $BUILD/screen_try $T/keys"
		shows 'hostile ??[2J ? é 漢'
		shows '┌── box  ?[31m ────'
		mux capture-pane -p >"$T/$term.txt"
		[[ $(wc -l <"$T/$term.txt") -eq 24 ]]
	done
	cmp "$T/xterm-256color.txt" "$T/screen.txt"
	cmp "$T/xterm-256color.txt" "$T/linux.txt"
	mux respawn-pane -k "env TERM=vt100 $BUILD/screen_try $T/keys"
	shows 'hostile ??[2J ? ? ?'
	shows '+-- box  ?[31m ----'
}
