#!/usr/bin/env bats
# monitor.bats - the monitor against real servers: hearing the group, streaming, losing the link,
# another server, acting, hostile output.
# bats file_tags=e2e

bats_require_minimum_version 1.5.0
load lib.bash
load tmux.bash

setup_file() {
	[[ $(id -u) -eq 0 ]] || return 0
	env_make_net alpha bravo charlie desk
	SERVERS="alpha bravo charlie"
	remember SERVERS
	jobs_write all.yaml <<-'END'
	job: work/one
	server: alpha
	run: [sleep, "0.2"]
	---
	job: work/two
	server: bravo
	run: [sleep, "600"]
	---
	job: work/three
	server: charlie
	after: success(work/one@alpha)
	run: [true]
	---
	job: work/dirty
	server: alpha
	run: [printf, 'plain\033]0;title\007\033[2J\033[31mred\033[0m\bback\r\x9b1mend\n']
	---
	job: work/bad
	server: bravo
	run: [sh, -c, 'echo it broke; exit 3']
	END
	server_start alpha bravo charlie
	env_together
}
teardown_file() { env_down; }
setup() {
	[[ $(id -u) -eq 0 ]] || skip "needs root: network namespaces"
	MON_ON="ip netns exec $(<"$T/desk/netns")" MON_ENV="TZ=UTC"
}
teardown() {
	mon_stop
	[[ ! -f $T/net ]] || desk_cut ""
}

# desk_cut RULES - what no longer reaches the desk's machine or leaves it
desk_cut() {
	local ns
	ns=$(<"$T/desk/netns")
	ip netns exec "$ns" nft delete table inet cut 2>/dev/null || true
	[[ -z $1 ]] || ip netns exec "$ns" nft -f - <<-END
	table inet cut {
		chain in { type filter hook input priority 0; $1 }
	}
	END
}
# act LETTER TITLE - an action of the menu on what is under the cursor, confirmed
act() {
	mon_keys a
	mon_shows 'Act on'
	mon_keys "$1"
	mon_shows "$2"
	mon_shows '\[y\]'
	mon_keys y
}
# desk PERSON [via SERVER] [ARGUMENTS] - the monitor of a person, on a machine of its own
desk() {
	local who=$1
	shift
	mon_start "${SIZE:-80x24}" "${TERMINAL:-xterm-256color}" C.UTF-8 \
		--config "$T/$who/chime.yaml" "$@"
	# What is typed before is the shell's.
	mon_shows 'LIVE'
}

@test "it hears the group, and shows what happens on any server" {
	desk alice
	mon_shows 'LIVE group'
	mon_shows 'work/one +alpha'
	on bravo start work/bad@bravo
	mon_shows 'FA work/bad .*exit 3'
	mon_keys 5
	mon_shows 'run.ended .*work/bad'
	mon_keys 4
	mon_shows 'charlie +(UP|up)'
}

@test "with its link cut, it shows a forced run of another server by the group alone" {
	desk alice
	mon_shows 'LIVE group'
	# Nothing of TCP comes in any more; the bus does.
	desk_cut "meta l4proto tcp drop;"
	on charlie start --force --yes --reason 'the link is cut' work/three@charlie
	mon_shows 'SU work/three'
	mon_keys 5
	mon_shows 'run.ended .*work/three'
	mon_keys 1
	mon_shows 'NO LINK' 30
	mon_shows 'group'
	# Acting needs a link.
	mon_keys a
	mon_shows 'link'
	mon_keys Escape
	on bravo start work/two@bravo
	mon_shows 'RU work/two'
	desk_cut ""
	mon_shows 'LIVE group' 30
	on bravo kill --yes work/two@bravo
	mon_shows '(TE|KI|FA) work/two'
}

@test "where the group cannot be heard it streams from one server, and says so" {
	desk_cut "udp dport $BUS_PORT drop;"
	desk alice
	mon_shows 'LIVE stream'
	on bravo start work/bad@bravo
	mon_keys 5
	mon_shows 'run.ended .*work/bad'
	desk_cut ""
	mon_shows 'LIVE group' 20
}

@test "streaming, it goes on hearing after another server was chosen" {
	desk_cut "udp dport $BUS_PORT drop;"
	desk alice --via alpha
	mon_shows 'LIVE stream'
	mon_keys c
	mon_type 'bravo'
	mon_keys Enter
	mon_shows 'via bravo'
	mon_shows 'LIVE stream' 20
	on charlie start --force --yes --reason stream work/three@charlie
	run=$(json charlie runs work/three@charlie --limit 1 '.runs[0].run')
	mon_keys 5
	mon_shows "run.ended .*work/three $run@charlie"
}

@test "what the group lost is pulled" {
	desk alice
	mon_shows 'LIVE group'
	desk_cut "udp dport $BUS_PORT numgen random mod 100 < 40 drop;"
	for _ in 1 2 3 4 5 6; do
		on bravo start work/bad@bravo >/dev/null
		wait_run bravo work/bad@bravo FAILED
	done
	run=$(json bravo runs work/bad@bravo --limit 1 '.runs[0].run')
	mon_keys 5
	mon_shows "run.ended .*work/bad $run@bravo"
	desk_cut ""
	run mon_screen
	# Each of the last runs ended once.
	[[ $(grep -c "run.ended .* $run@bravo\|run.ended .*work/bad $run" <<<"$output") -le 1 ]]
}

@test "the server that is asked dies: another is asked, data never stops" {
	desk alice --via alpha
	mon_shows 'via alpha'
	mon_shows 'LIVE group'
	server_kill alpha
	mon_shows 'via (bravo|charlie)' 30
	mon_shows '1 LOST' 30
	mon_shows '\?\? work/one' 30
	server_start alpha
	mon_hides '\?\? work/one' 30
}

@test "everything is gone: it says how old its data is, counts, and comes back by itself" {
	desk alice
	mon_shows 'LIVE group'
	desk_cut "meta l4proto tcp drop; udp dport $BUS_PORT drop;"
	mon_shows 'DATA IS [0-9]+ ?s OLD' 30
	mon_shows 'NO LINK'
	# States are those of then; keys work, actions do not.
	mon_shows '(su|in|fa|te) work/one'
	mon_keys '?'
	mon_shows 'Help'
	mon_keys Escape
	desk_cut ""
	mon_shows 'LIVE' 40
}

@test "force start from the monitor, with reason; Enter and Esc do nothing" {
	desk alice --filter three
	mon_shows 'work/three'
	before=$(runs charlie work/three@charlie)
	mon_keys a f
	mon_shows 'Force start'
	mon_type 'no'
	mon_keys Enter
	mon_keys Enter
	mon_keys Escape
	mon_hides 'Force start'
	[ "$(runs charlie work/three@charlie)" = "$before" ]
	mon_keys a f
	mon_shows 'Force start'
	mon_shows 'success\(work/one@alpha\)'
	mon_type 'INC-4711 yes'
	mon_keys Tab
	mon_keys y
	mon_shows 'started'
	wait_until 10 "a run more" has_runs charlie work/three@charlie $((before + 1))
	[ "$(json charlie runs work/three@charlie --limit 1 '.runs[0] | [.by, .reason, .forced] | join(" ")')" = \
		"alice INC-4711 yes true" ]
}

@test "hold, release and kill; several tagged jobs need their number" {
	desk alice --filter work/two
	mon_shows 'work/two'
	act h 'Hold'
	mon_shows 'OH work/two'
	act r 'Release'
	mon_hides 'OH work/two'
	act s 'Start'
	mon_shows 'RU work/two'
	act k 'Kill'
	mon_shows 'TE work/two' 20
	wait_run bravo work/two@bravo KILLED
	# Two of them: y alone is not enough, nor is another number.
	mon_keys /
	mon_keys C-u
	mon_type 'work/t'
	mon_keys Enter
	mon_shows '2 of [0-9]+ jobs'
	mon_keys '*' a h
	mon_shows 'Hold'
	mon_shows 'type 2, then y'
	mon_keys y
	mon_keys 1 y
	mon_shows 'type 2, then y'
	[ "$(json bravo ls 'work/t*' '[.jobs[] | select(.state == "HELD")] | length')" = 0 ]
	mon_keys C-u
	mon_keys 2 y
	mon_shows 'OH work/two'
	mon_shows 'OH work/three'
	on bravo release work/two@bravo
	on charlie release work/three@charlie
}

@test "a viewer may look, and is told why it may not act" {
	desk vera
	mon_shows 'work/one'
	mon_keys a
	mon_shows 'viewer'
	mon_keys Escape
	mon_hides 'viewer'
	mon_keys q
	mon_shows 'ended 0'
}

@test "control characters in a job's output do not reach the terminal" {
	on alpha start work/dirty@alpha
	wait_run alpha work/dirty@alpha SUCCESS
	desk alice --filter dirty
	mon_shows 'work/dirty'
	mon_keys l
	mon_shows 'end'
	run mon_screen
	[[ $output == *work/dirty* ]]
	[[ $(tm display-message -p -t m '#{pane_title}') != title ]]
}

@test "the log of a run is followed live, and searched" {
	jobs_write talk.yaml <<-'END'
	job: work/talk
	server: bravo
	run: [sh, -c, 'for i in 1 2 3; do echo "line $i"; sleep 0.2; done; read x < /dev/zero | sleep 600']
	END
	on bravo reload
	on bravo start work/talk@bravo
	desk alice --filter talk
	mon_shows 'RU work/talk'
	mon_keys Enter
	mon_shows 'line 3'
	mon_keys /
	mon_type 'line 2'
	mon_keys Enter
	mon_shows 'line 2'
	on bravo kill --yes work/talk@bravo
}

@test "the command line runs any command; one that acts asks for y" {
	desk alice
	mon_shows 'LIVE'
	mon_keys :
	mon_type 'next'
	mon_keys Enter
	mon_shows 'nothing is planned'
	mon_keys Escape
	mon_shows 'work/two'
	mon_keys :
	mon_type 'hold work/two@bravo'
	mon_keys Enter
	mon_shows 'hold work/two@bravo'
	mon_keys Enter
	[ "$(json bravo ls work/two@bravo '.jobs[0].state')" != HELD ]
	mon_keys Escape
}

@test "the terminal is as it was after q, Ctrl-C, SIGTERM and a crash" {
	for way in q C-c TERM SEGV; do
		desk alice
		mon_shows 'LIVE'
		case $way in
		q | C-c) mon_keys "$way" ;;
		*) kill -"$way" "$(mon_pid)" ;;
		esac
		mon_shows 'ended [0-9]+'
		mon_type 'stty -a | tr ";" "\n" | grep -c -- " icanon\| isig\| iexten"; echo visible'
		mon_keys Enter
		mon_shows '^visible'
		[[ $(tm display-message -p -t m '#{cursor_flag} #{alternate_on} #{mouse_any_flag}') == "1 0 0" ]]
	done
}
