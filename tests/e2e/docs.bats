#!/usr/bin/env bats
# docs.bats - README and manual are true: the walk over three machines works as it is written,
# and pages, --help, options and keys name the same things.
# bats file_tags=e2e
# shellcheck disable=SC2030,SC2031  # every test is its own shell
# shellcheck disable=SC2317,SC2329  # functions called by the blocks of the README

bats_require_minimum_version 1.5.0
load lib.bash

ROOT=$BATS_TEST_DIRNAME/../..
PAGE=$ROOT/man/chime.1

setup_file() {
	T=$(mktemp -d "${BATS_TMPDIR:-/tmp}/chime-docs.XXXXXX")
	export T SERVERS="db1 app1 rep1"
	chmod 755 "$T"
}
teardown_file() { env_down; }

# ---- the walk ----

# block WHERE N - the N-th shell block of the README that is marked "walk WHERE"
block() {
	awk -v where="<!-- walk $1 -->" -v want="$2" '
		$0 == where { n++; wait = 1; next }
		wait && /^```sh$/ { inside = n == want; wait = 0; next }
		/^```$/ { inside = 0 }
		inside' "$ROOT/README.md"
}

# at_desk N - block N at the desk, whose home is $T/desk; a machine is the folder $T/NAME
at_desk() {
	local text
	text=$(block desk "$1")
	[[ -n $text ]]
	(
		export HOME=$T/desk CHIME_SOCKET=$T/none
		unset XDG_CONFIG_HOME
		ssh() {
			local machine=${1#*@}
			shift
			"${@//\/etc/$T/$machine/etc}"
		}
		scp() {
			local machine=${3#*@}
			cp "$1" "$2" "$T/${machine%%:*}${machine#*:}"
		}
		set -eu
		eval "$text"
	)
}

# What one host needs besides: ports, group and paths of its own.
adapt() {
	cat >>"$T/$1/etc/chime/chimed.yaml" <<-END
	data: "$T/$1/data"
	jobs: jobs.d
	socket: "$T/$1/control.sock"
	bus: {group: $GROUP, port: $BUS_PORT, interface: lo}
	control: {listen: "127.0.0.1:$(free_port)"}
	END
}

# at_machine NAME N - block N on that machine; users and systemd are not this test's business
at_machine() {
	local machine=$1 text
	text=$(block machine "$2")
	[[ -n $text ]]
	text=${text//\/etc\/chime/$T/$machine/etc/chime}
	text=${text//user: nobody/user: $(id -un)}
	(
		hostname() { echo "$machine"; }
		useradd() { :; }
		install() { :; }
		chown() { :; }
		systemctl() {
			[[ $* == "enable --now chimed" ]]
			"$BUILD/chimed" --config "$T/$machine/etc/chime/chimed.yaml" \
				>>"$T/$machine.log" 2>&1 </dev/null \
				3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
			echo $! >"$T/$machine/pid"
			disown
		}
		set -eu
		eval "$text"
	)
}

at_desk_once_all_are_up() {
	wait_until 20 "all servers are up" all_up
	at_desk "$1"
}

all_up() {
	(($(HOME=$T/desk CHIME_SOCKET=$T/none chime server ls --json |
		jq '[.servers[] | select(.state == "UP")] | length') == 3))
}

@test "README: three machines, word for word" {
	mkdir "$T/desk"
	GROUP=239.255.$((RANDOM % 250 + 1)).$((RANDOM % 250 + 1))
	BUS_PORT=$(free_port)
	export GROUP BUS_PORT
	unset XDG_CONFIG_HOME

	at_desk 1
	printf 'bus: {group: %s, port: %s, interface: lo}\n' "$GROUP" "$BUS_PORT" \
		>"$T/desk/.config/chime/chime.yaml"
	for machine in $SERVERS; do
		at_machine "$machine" 1
		adapt "$machine"
	done
	for machine in $SERVERS; do
		at_machine "$machine" 2
	done
	run at_desk_once_all_are_up 2
	echo "$output"
	[[ $status -eq 0 ]]
	says "eod/extract@db1"
	says "eod/report@rep1 is "
	says "SUCCESS  eod/report@rep1"
	says "report for "
}

# ---- the pages ----

@test "manual: every page is clean" {
	for page in "$ROOT"/man/*.[1-8]; do
		run mandoc -Tlint -W warning "$page"
		echo "$output"
		[[ $status -eq 0 && -z $output ]]
	done
}

@test "manual: a page is named in SEE ALSO only if it is there" {
	for page in "$ROOT"/man/*.[1-8]; do
		while read -r name section; do
			case $name in crontab | systemd | sd_notify | sudo) continue ;; esac
			echo "${page##*/}: $name($section)"
			[[ -f $ROOT/man/$name.$section ]]
		done < <(sed -n 's/^\.Xr \([^ ]*\) \([1-8]\).*/\1 \2/p' "$page")
	done
}

commands_of_help() { chime help | sed -n 's/^  \([a-z]\+\( [a-z]\+\)\?\)  .*/\1/p' | sort; }
commands_of_page() { sed -n 's/^\.It Ic \([a-z]\+\( [a-z]\+\)\?\).*/\1/p' "$PAGE" | sort -u; }

@test "chime(1) and chime help name the same commands" {
	run diff <(commands_of_help) <(commands_of_page)
	echo "$output"
	[[ $status -eq 0 ]]
	(($(commands_of_help | wc -l) > 15))
}

# options_of_help COMMAND - long options of its --help, but not those of the examples
options_of_help() {
	# shellcheck disable=SC2086  # a command may be two words
	chime $1 --help | sed '/^examples$/,$d' | grep -o -- '--[a-z][a-z-]*' | sort -u
}

# part_of_page COMMAND - its items, and what all acting commands have in common
part_of_page() {
	awk -v command="$1" '
		/^\.It Ic / { name = $3; if ($4 ~ /^[a-z]+$/) name = name " " $4; inside = name == command }
		/^\.S[hs] / || /^All four take/ { inside = 0 }
		/^All four take/ && command ~ /^(start|kill|hold|release)$/ { inside = 1 }
		inside' "$PAGE"
}

@test "chime(1) has every option of every --help, and no other" {
	local command
	while read -r command; do
		run diff <(options_of_help "$command") \
			<(part_of_page "$command" | grep '^\.It Fl' | grep -o 'Fl -[a-z-]*' |
				sed 's/Fl /-/' | sort -u)
		echo "$command: $output"
		[[ $status -eq 0 ]]
	done < <(commands_of_help)
}

@test "chime(1) has every global option" {
	while read -r option; do
		echo "$option"
		grep -q -- "Fl ${option#-}\b" <(sed -n '/^\.Sh GLOBAL/,/^\.Sh COMMANDS/p' "$PAGE")
	done < <(chime help options | grep -o -- '--[a-z][a-z-]*' | sort -u)
}

@test "chime-record(8) has every option, and no other" {
	run diff <(chime-record --help | grep -o -- '--[a-z]\+' | sort -u) \
		<(grep '^\.It Fl' "$ROOT/man/chime-record.8" | grep -o 'Fl -[a-z]\+' |
			sed 's/Fl /-/' | sort -u)
	echo "$output"
	[[ $status -eq 0 ]]
}

keys_of_page() {
	sed -n 's/^\.It Cm \(.*\)/\1/p' "$ROOT/man/$1" | tr -d ' ' | tr ',' '\n' |
		grep -x '[a-z_]*' | sort -u
}

@test "chimed.yaml(5) has every key, and no other" {
	printf 'environment: X\nserver: x\n' >"$T/chimed.yaml"
	run diff <(chimed --config "$T/chimed.yaml" --print-config |
		sed -n 's/^ *\(# \)\?\([a-z_]*\):.*/\2/p' |
		grep -vx -e identity -e bus -e control -e limits | sort -u) \
		<(keys_of_page chimed.yaml.5)
	echo "$output"
	[[ $status -eq 0 ]]
}

@test "chime-job(5) has every key of a job" {
	while read -r key; do
		echo "$key"
		keys_of_page chime-job.5 | grep -qx "$key"
	done < <(sed -n 's/^\t\[KEY_[A-Z_]*\] = { "\([a-z_]*\)".*/\1/p' "$ROOT/daemon/jobvalue.c")
}

@test "chime-job(5): the examples are job files" {
	awk -v out="$T/example" '
		/^\.Bd -literal/ { inside = 1; n++; next }
		/^\.Ed/ { inside = 0 }
		inside { gsub(/\\\(dq/, "\""); print > (out n ".yaml") }' "$ROOT/man/chime-job.5"
	local tested=0
	for file in "$T"/example*.yaml; do
		grep -q '^job:' "$file" || continue
		run chime check "$file"
		echo "$output"
		[[ $status -eq 0 ]]
		tested=$((tested + 1))
	done
	((tested >= 4))
}

@test "chime-job(5): the table of clock changes is what chime next computes" {
	local zone time policy instant key from tested=0
	while read -r zone time policy instant; do
		case $policy in first | second) key=dst_overlap ;; *) key=dst_gap ;; esac
		printf 'job: j\nrun: "true"\nat: %s\ntimezone: %s\n%s: %s\n' \
			"$time" "$zone" $key "$policy" >"$T/dst.yaml"
		from=$(date -u -d "$instant - 12 hours" +%Y-%m-%dT%H:%M:%SZ)
		run jq -r '.[0].time' <(chime next --file "$T/dst.yaml" --from "$from" --count 1 --json)
		echo "$zone $time $policy: $output, not $instant"
		[[ $output == "$instant" ]]
		tested=$((tested + 1))
	done < <(awk '
		/^[A-Z][a-z]+\/[A-Za-z_]+, at:/ { zone = $1; sub(",", "", zone); time = $3
			print zone, time, $4, $5 }
		/^ +[a-z]+ +2[0-9-]+T/ { print zone, time, $1, $2 }' "$ROOT/man/chime-job.5")
	((tested >= 6))
}

@test "chime-bus(7) has every kind of event, and no other" {
	run diff <(sed -n 's/^\t{ CHIME__EVENT__BODY_[A-Z_]*, "\([a-z._]*\)".*/\1/p' \
		"$ROOT/daemon/core/event.c" | sort) \
		<(sed -n '/^\.Sh EVENTS/,/^\.El/s/^\.It \([a-z._]*\) Ta.*/\1/p' \
			"$ROOT/man/chime-bus.7" | sort)
	echo "$output"
	[[ $status -eq 0 ]]
}

@test "README: its folders and files are there, and every folder tells about itself" {
	while read -r path; do
		echo "$path"
		[[ -e $ROOT/$path ]]
	done < <(grep -o ']([A-Za-z][A-Za-z0-9_./-]*)' "$ROOT/README.md" | tr -d ']()')
	for folder in proto daemon daemon/core daemon/edge daemon/command daemon/launcher \
		daemon/shepherd client client/monitor client/record schema tests man examples; do
		echo "$folder"
		[[ -f $ROOT/$folder/README.md ]]
		(($(wc -l <"$ROOT/$folder/README.md") <= 25))
	done
}

@test "client/monitor/README.md names every file of its folder, and no other" {
	cd "$ROOT/client/monitor"
	# Names are patterns: feed_*.[ch]
	while read -r pattern; do
		compgen -G "$pattern"
	done < <(grep -o "\`[a-z_*]*\.[][ch]*\`" README.md | tr -d "\`") | sort -u >"$T/named"
	printf '%s\n' *.[ch] | sort >"$T/there"
	run diff "$T/named" "$T/there"
	echo "$output"
	[[ $status -eq 0 ]]
}
