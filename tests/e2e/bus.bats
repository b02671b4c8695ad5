#!/usr/bin/env bats
# bus.bats - P10, P18: loss, no multicast, partitions. Every server in a namespace of its own.
# bats file_tags=e2e

bats_require_minimum_version 1.5.0
load lib.bash

setup_file() {
	[[ $(id -u) -eq 0 ]] || return 0
	env_make_net alpha bravo charlie
	jobs_write chain.yaml <<-'END'
	job: extract
	server: alpha
	overlap: parallel 20
	run: "true"
	---
	job: load
	server: bravo
	after: success(extract@alpha)
	overlap: queue 50
	run: "true"
	---
	job: report
	server: charlie
	after: success(load@bravo)
	overlap: queue 50
	run: "echo $CHIME_RUN >> report.txt"
	END
	# shellcheck disable=SC2086
	server_start $SERVERS
	env_together
}
teardown_file() { env_down; }
setup() {
	[[ $(id -u) -eq 0 ]] || skip "needs root: network namespaces"
}

# chains N LABEL - starts N extracts, each in a cycle of its own, and waits for N reports
chains() {
	local i before
	before=$(runs charlie report@charlie SUCCESS)
	for ((i = 0; i < $1; i++)); do
		on alpha start --yes --reason chain --cycle "$(printf '%s-%02d' "$2" $((i + 1)))" extract@alpha >/dev/null
	done
	wait_until "${3:-30}" "$1 reports" has_runs charlie report@charlie $((before + $1)) SUCCESS
	[ "$(runs charlie report@charlie)" = $((before + $1)) ]
	[ "$(sort "$T/out/report.txt" | uniq | wc -l)" = $((before + $1)) ]
	[ "$(wc -l <"$T/out/report.txt")" = $((before + $1)) ]
}
dropped() { ip netns exec "$(<"$T/$1/netns")" nft list table inet chime_drop | grep -q 'packets [1-9]'; }
block() { ip netns exec "$(<"$T/$1/netns")" ip link set eth0 down; }
unblock() {
	ip netns exec "$(<"$T/$1/netns")" ip link set eth0 up
	ip netns exec "$(<"$T/$1/netns")" ip route replace 224.0.0.0/4 dev eth0
}
state_is() { [[ $(json "$1" server ls ".servers[] | select(.server == \"$2\") | .state") == "$3" ]]; }

@test "no loss: chains over three namespaces" { chains 3 2026-01; }

@test "P10 20 % of the datagrams dropped at each: all complete, equal logs" {
	for server in $SERVERS; do net_drop "$server" 20; done
	chains 10 2026-02
	wait_until 20 "equal logs" same_logs
	dropped bravo
}

@test "P10 60 % dropped: all complete, equal logs" {
	for server in $SERVERS; do net_drop "$server" 60; done
	chains 10 2026-03
	wait_until 30 "equal logs" same_logs
	for server in $SERVERS; do net_drop "$server" 0; done
	dropped bravo && false || true
}

@test "P18 multicast fully blocked: everything still comes over mTLS" {
	for server in $SERVERS; do net_drop "$server" 100; done
	chains 1 2026-04 40
	# They are reached, so they are not called silent.
	for server in $SERVERS; do state_is alpha "$server" UP; done
	for server in $SERVERS; do net_drop "$server" 0; done
}

@test "P18 a restart without multicast: the server comes back and catches up over mTLS" {
	for server in $SERVERS; do net_drop "$server" 100; done
	server_kill charlie KILL
	on alpha start --yes --reason r --cycle 2026-05-01 extract@alpha
	server_start charlie
	wait_until 40 "charlie ran its report" report_of 2026-05-01
	for server in $SERVERS; do net_drop "$server" 0; done
}
report_of() { [[ $(json charlie runs report@charlie --limit 1000 "[.runs[] | select(.cycle == \"$1\" and .state == \"SUCCESS\")] | length") == 1 ]]; }

@test "P10 P20 a server cut off whole: noticed, the others go on, it heals to equal logs" {
	block bravo
	on alpha start --yes --reason r --wait --cycle 2026-06-01 extract@alpha
	wait_until 30 "bravo is called unreachable" state_is alpha bravo UNREACHABLE
	[ "$(json alpha ls load@bravo '.jobs[0].state')" = UNKNOWN ]
	refuses 5 as_in alpha alice bravo ls
	unblock bravo
	wait_until 40 "the chain goes on" report_of 2026-06-01
	wait_until 30 "bravo is up again" state_is alpha bravo UP
	wait_until 30 "equal logs" same_logs
}
as_in() {
	ip netns exec "$(<"$T/$1/netns")" chime --config "$T/$2/chime.yaml" --timeout 3s \
		--via "$(<"$T/$3/address")" "${@:4}"
}

@test "P8 junk, foreign and replayed datagrams change nothing but counters" {
	local ns before
	wait_until 20 "equal logs" same_logs
	before=$(json charlie events --limit 10000 '[.events[] | [.server, .seq]] | tostring' | sha256sum)
	ns=$(<"$T/alpha/netns")
	for _ in 1 2 3; do
		head -c 900 /dev/urandom >"$T/junk"
		ip netns exec "$ns" bash -c "cat '$T/junk' >/dev/udp/$GROUP/$BUS_PORT"
		printf 'CHIM\001\000' | ip netns exec "$ns" bash -c "cat >/dev/udp/$GROUP/$BUS_PORT"
	done
	chains 1 2026-07
	wait_until 20 "equal logs" same_logs
	[ "$(json charlie server ls '[.servers[].state] | unique | tostring')" = '["UP"]' ]
	[ -n "$before" ]
}
