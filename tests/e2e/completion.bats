#!/usr/bin/env bats
# completion.bats - bash, zsh and fish complete what chime has, without network, daemon or chime.
# bats file_tags=e2e

# shellcheck disable=SC2154
bats_require_minimum_version 1.5.0
load cli

TRY=$BATS_TEST_DIRNAME/completion
BASH_COMPLETION=/usr/share/bash-completion/bash_completion

setup_file() {
	alone
	T=$BATS_FILE_TMPDIR
	mkdir -p "$T/bin" "$T/zsh" "$T/home" "$T/cache/chime" "$T/work"
	"$CHIME" completion bash >"$T/chime.bash"
	"$CHIME" completion zsh >"$T/zsh/_chime"
	"$CHIME" completion fish >"$T/chime.fish"
	# Who starts chime is found out.
	printf '#!/bin/sh\necho "$@" >>"%s/called"\n' "$T" >"$T/bin/chime"
	chmod +x "$T/bin/chime"
	printf '%s\n' @app1 @db1 @rep1 eod/extract@db1 eod/load@app1 eod/report@rep1 risk/var@db1 \
		>"$T/cache/chime/names.TEST"
	touch "$T/work/jobs.yaml"
	mkdir "$T/work/jobs.d"
	export T
}

setup() {
	alone
	export HOME=$T/home XDG_CACHE_HOME=$T/cache XDG_CONFIG_HOME=$T/home/.config
	PATH=$T/bin:$PATH
	cd "$T/work" || return 1
	rm -f "$T/called"
}

teardown() {
	stop_demo
	[[ ! -e $T/called ]]
}

# Runs a program where there is no network, not even lo.
without_network() {
	if unshare -n true 2>/dev/null; then
		unshare -n "$@"
	elif unshare -rn true 2>/dev/null; then
		unshare -rn "$@"
	else
		"$@"
	fi
}

need() {
	command -v "$1" >/dev/null || skip "there is no $1"
}

# Lines from the standard input -> what a shell offers for them.
try_bash() { without_network bash --norc "$TRY/try.bash" "$T/chime.bash"; }
try_bash_completion() {
	without_network bash --norc "$TRY/try.bash" "$T/chime.bash" "$BASH_COMPLETION"
}
try_fish() { without_network fish --no-config "$TRY/try.fish" "$T/chime.fish"; }
try_zsh() {
	mkdir -p "$T/zdot"
	cp "$TRY/try.zsh" "$T/zdot/.zshrc"
	cat >"$T/zsh.lines"
	rm -f "$T/zsh.out"
	LINES_FILE=$T/zsh.lines OUT=$T/zsh.out SCRIPTS=$T/zsh ZDOTDIR=$T/zdot TERM=xterm \
		without_network timeout 60 script -qec 'zsh -i' /dev/null </dev/null >/dev/null
	cat "$T/zsh.out"
}

# offers LINE - what was offered for it, of the answers in $output, sorted, on one line
offers() {
	awk -v want="= $1" '/^= / { inside = $0 == want; next } inside' <<<"$output" |
		sort -u | xargs
}

expect() {
	local got
	got=$(offers "$1")
	echo "'$1' -> $got"
	[[ $got == "$2" ]]
}

commands_of_help() { "$CHIME" help | sed -n 's/^  \([a-z]\+\( [a-z]\+\)\?\)  .*/\1/p' | sort; }
options_of_help() {
	# shellcheck disable=SC2086  # a command may be two words
	"$CHIME" $1 --help | sed '/^examples$/,$d' | grep -o -- '--[a-z][a-z-]*' | sort -u
}

# ---- everything that is there ----

walk_lines() {
	echo "chime "
	commands_of_help | sed -n 's/^\([a-z]*\) .*/chime \1 /p' | sort -u
	commands_of_help | sed 's/.*/chime & --/'
	echo "chime --"
	echo "chime help "
}

# With the answers in $output: are all commands, options and topics there, and no others?
check_walk() {
	local command expected
	expect "chime " "$(commands_of_help | cut -d' ' -f1 | sort -u | xargs)"
	while read -r command; do
		expect "chime $command " "$(commands_of_help | sed -n "s/^$command //p" | xargs)"
	done < <(commands_of_help | sed -n 's/^\([a-z]*\) .*/\1/p' | sort -u)
	expect "chime --" "$("$CHIME" help options | grep -o -- '--[a-z][a-z-]*' | sort -u | xargs)"
	while read -r command; do
		expected=$({
			options_of_help "$command"
			"$CHIME" help options | grep -o -- '--[a-z][a-z-]*'
			# Every action takes it.
			[[ $command != reload ]] || echo --yes
		} | sort -u | xargs)
		expect "chime $command --" "$expected"
	done < <(commands_of_help)
	expect "chime help " "$({
		commands_of_help | cut -d' ' -f1
		"$CHIME" help | sed -n 's/^topics: //p' | tr ' ' '\n'
	} | sort -u | xargs)"
	(($(commands_of_help | wc -l) > 15))
}

@test "bash: every command, option and topic, and no other" {
	output=$(walk_lines | try_bash)
	check_walk
}

@test "bash with bash-completion: every command, option and topic, and no other" {
	[[ -f $BASH_COMPLETION ]] || skip "there is no bash-completion"
	output=$(walk_lines | try_bash_completion)
	check_walk
}

@test "zsh: every command, option and topic, and no other" {
	need zsh
	output=$(walk_lines | try_zsh)
	check_walk
}

@test "fish: every command, option and topic, and no other" {
	need fish
	output=$(walk_lines | try_fish)
	check_walk
}

# ---- values and names ----

# A blank at the end of a line is written as %.
value_lines() {
	sed 's/%$//' <<-'END'
	chime start eod/re
	chime start %
	chime hold eod/extract@db1 risk
	chime log -fn 3 eod/l
	chime start -- ri
	chime status %
	chime ls nothing
	chime --color %
	chime -o %
	chime ls --sort %
	chime start --ignore %
	chime ca issue --role %
	chime completion %
	chime events --server %
	chime --via r
	chime --tz Europe/Berl
	chime check jo
	chime next --file jobs.
	chime --config jobs.y
	chime ca init --dir j
	chime start --reason %
	END
}

check_values() {
	expect "chime start eod/re" "eod/report@rep1"
	expect "chime start " "eod/extract@db1 eod/load@app1 eod/report@rep1 risk/var@db1"
	expect "chime hold eod/extract@db1 risk" "risk/var@db1"
	expect "chime log -fn 3 eod/l" "eod/load@app1"
	expect "chime start -- ri" "risk/var@db1"
	expect "chime status " ""
	expect "chime ls nothing" ""
	expect "chime --color " "always auto never"
	expect "chime -o " "json name table tsv wide"
	expect "chime ls --sort " "job next server since state"
	expect "chime start --ignore " "after calendar hold limits lock overlap time window"
	expect "chime ca issue --role " "admin operator planner server viewer"
	expect "chime completion " "bash fish zsh"
	expect "chime events --server " "app1 db1 rep1"
	expect "chime --via r" "rep1"
	[[ $(offers "chime --tz Europe/Berl") == *Berlin ]]
	[[ $(offers "chime check jo") =~ ^jobs.d/?" "jobs.yaml$ ]]
	[[ $(offers "chime next --file jobs.") =~ ^jobs.d/?" "jobs.yaml$ ]]
	expect "chime --config jobs.y" "jobs.yaml"
	[[ $(offers "chime ca init --dir j") =~ ^jobs.d/?$ ]]
	expect "chime start --reason " ""
}

@test "bash: values and names" {
	output=$(value_lines | try_bash)
	check_values
}

@test "bash with bash-completion: values and names" {
	[[ -f $BASH_COMPLETION ]] || skip "there is no bash-completion"
	output=$(value_lines | try_bash_completion)
	check_values
}

@test "zsh: values and names" {
	need zsh
	output=$(value_lines | try_zsh)
	check_values
}

@test "fish: values and names" {
	need fish
	output=$(value_lines | try_fish)
	check_values
}

@test "zsh and fish: @, = and commas within a word" {
	need zsh
	need fish
	local try
	for try in try_zsh try_fish; do
		output=$(printf '%s\n' "chime start eod/report@" "chime ls @d" "chime ls --sort=ser" \
			"chime start --ignore time,cal" | $try)
		expect "chime start eod/report@" "eod/report@rep1"
		expect "chime ls @d" "@db1"
		[[ $(offers "chime ls --sort=ser") =~ ^(--sort=)?server$ ]]
		[[ $(offers "chime start --ignore time,cal") =~ ^(time,)?calendar$ ]]
	done
}

# ---- bash with its own line editor, which takes @, : and = for ends of words ----

# type RCFILE LINE... - types each line with a TAB; prints what chime is called with then
type_bash() {
	local rc=$1
	shift
	rm -f "$T/typed"
	{ printf '%s\t\n' "$@"; echo exit; } |
		INPUTRC=/dev/null TERM=dumb without_network timeout 30 \
			script -qec "bash --noprofile --rcfile '$rc' -i" /dev/null >/dev/null
	cat "$T/typed"
}

typed_lines=("chime start eod/re" "chime start eod/report@" "chime start eod/report@r"
	"chime ls @d" "chime ls --sort=ser" "chime start --ignore=time,cal" "chime serv"
	"chime server l" "chime check jobs.y" "chime next --file=jobs.y" "chime --via=re"
	'chime ls "eod/rep' 'chime ls "eod/report@r')

typed_words() {
	cat <<-'END'
	<start><eod/report@rep1>
	<start><eod/report@rep1>
	<start><eod/report@rep1>
	<ls><@db1>
	<ls><--sort=server>
	<start><--ignore=time,calendar>
	<server>
	<server><ls>
	<check><jobs.yaml>
	<next><--file=jobs.yaml>
	<--via=rep1>
	<ls><eod/report@rep1>
	<ls><eod/report@rep1>
	END
}

write_rc() {
	[[ -z ${2-} ]] || echo ". '$2'"
	echo ". '$T/chime.bash'"
	echo "chime() { printf '<%s>' \"\$@\"; echo; } >>'$T/typed'"
} >"$T/$1"

@test "bash: @, : and = as they are typed" {
	write_rc rc
	run diff <(type_bash "$T/rc" "${typed_lines[@]}") <(typed_words)
	echo "$output"
	[[ $status -eq 0 ]]
}

@test "bash with bash-completion: @, : and = as they are typed" {
	[[ -f $BASH_COMPLETION ]] || skip "there is no bash-completion"
	write_rc rc "$BASH_COMPLETION"
	run diff <(type_bash "$T/rc" "${typed_lines[@]}") <(typed_words)
	echo "$output"
	[[ $status -eq 0 ]]
}

# ---- the file of names ----

@test "without a file of names, and with a newer one" {
	local try
	mkdir -p "$T/empty" "$T/two/chime"
	echo old/job@db1 >"$T/two/chime/names.OLD"
	touch -d '1 hour ago' "$T/two/chime/names.OLD"
	echo new/job@db1 >"$T/two/chime/names.NEW"
	for try in bash zsh fish; do
		command -v $try >/dev/null || continue
		XDG_CACHE_HOME=$T/empty output=$(echo "chime start " | try_$try)
		expect "chime start " ""
		XDG_CACHE_HOME=$T/two output=$(echo "chime start " | try_$try)
		expect "chime start " "new/job@db1"
	done
}

@test "what stands in the file is never run" {
	local try
	mkdir -p "$T/evil/chime"
	# shellcheck disable=SC2016
	printf '%s\n' 'a$(touch hit)@b' 'a`touch hit`@b' 'a;touch hit@b' >"$T/evil/chime/names.X"
	for try in bash zsh fish; do
		command -v $try >/dev/null || continue
		echo "chime start a" | XDG_CACHE_HOME=$T/evil try_$try >/dev/null
		[[ ! -e hit ]]
	done
}

@test "10,000 names: figures" {
	local try i
	mkdir -p "$T/many/chime"
	for ((i = 0; i < 10000; i++)); do
		echo "group$((i % 100))/job$i@server$((i % 32))"
	done | sort >"$T/many/chime/names.MANY"
	rm -f "$T/times"
	for try in bash zsh fish; do
		command -v $try >/dev/null || continue
		output=$(printf '%s\n' "chime start group42/job1" "chime ls --" "chime start " |
			XDG_CACHE_HOME=$T/many TIMES=$T/times try_$try)
		(($(offers "chime start group42/job1" | wc -w) == 11))
		(($(offers "chime start " | wc -w) == 10000))
	done
	sed 's/^/# completion: /' "$T/times" >&3
}

@test "chime ls keeps the names, whole, private, and only when they change" {
	local file=$T/kept/chime/names.DEMO before
	unset XDG_CONFIG_HOME
	mkdir -m 700 "$T/kept"
	start_demo
	file=$T/kept/chime/names.$("$CHIME" ls --json | jq -r .env)
	rm -rf "$T/kept/chime"
	export XDG_CACHE_HOME=$T/kept
	"$CHIME" ls --trouble >/dev/null
	"$CHIME" ls 'eod/*' >/dev/null || true
	[[ ! -e $file ]]
	"$CHIME" ls >/dev/null
	run diff <(grep -v '^@' "$file") <("$CHIME" ls -o name | sort)
	echo "$output"
	[[ $status -eq 0 ]]
	[[ $(grep -c '^@' "$file") -eq 3 ]]
	[[ $(stat -c %a "$file" "$T/kept/chime" | xargs) == "600 700" ]]
	before=$(stat -c %i "$file")
	"$CHIME" ls >/dev/null
	[[ $(stat -c %i "$file") == "$before" ]]
	echo "old@db1" >"$file"
	"$CHIME" ls >/dev/null
	run ! grep -q old@db1 "$file"
	[[ $(ls -A "$T/kept/chime") == "${file##*/}" ]]
	output=$(echo "chime start %" | sed 's/%//' | try_bash)
	(($(offers "chime start " | wc -w) == $(grep -vc '^@' "$file")))
}
