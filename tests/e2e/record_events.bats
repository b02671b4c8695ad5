#!/usr/bin/env bats
# record_events.bats - a capture of a real environment says what its servers say; what was changed
# in it is never taken for good; Wireshark finds the same events.
#
# One run of three servers is captured from before their first start, then read in many ways.

load lib

lua=$BATS_TEST_DIRNAME/../../packaging/wireshark/chime.lua
record=$BUILD/chime-record
tool=$BUILD/recordtool

setup_file() {
	[ "$(id -u)" -eq 0 ] || return 0
	env_make alpha bravo charlie
	jobs_write chain.yaml <<-END
	job: first
	server: alpha
	run: ["/bin/true"]
	---
	job: second
	server: bravo
	run: ["/bin/false"]
	after: success(first@alpha)
	---
	job: third
	server: charlie
	run: ["/bin/true"]
	after: failure(second@bravo)
	END
	"$BUILD/chime-record" -i lo --port "$BUS_PORT" -w "$T/all.pcap" 2>"$T/recorder" 3>&- &
	local recorder=$!
	wait_until 10 "the recorder listens" file_has "$T/recorder" listening
	server_start alpha bravo charlie
	env_together
	on alpha start first --force --yes --reason "for the capture"
	wait_run charlie third SUCCESS
	server_kill bravo TERM
	server_start bravo
	wait_until 20 "all logs are one" same_logs
	on alpha events --limit 10000 --json >"$T/events.json"
	# Whatever is still on its way belongs to events that were told.
	sleep 0.3
	kill -INT "$recorder"
	wait "$recorder"
	install -m 600 "$T/alpha/bus.key" "$T/key"
	reading=(--key "$T/key" --ca "$T/ca/ca.crt")
	"$BUILD/chime-record" -r "$T/all.pcap" "${reading[@]}" --json >"$T/all.json"
	"$BUILD/chime-record" -r "$T/all.pcap" "${reading[@]}" --decrypt -w "$T/clear.pcap"
	remember T
}

teardown_file() {
	[ "$(id -u)" -eq 0 ] || return 0
	env_down
}

setup() {
	[ "$(id -u)" -eq 0 ] || skip "capturing needs root"
	reading=(--key "$T/key" --ca "$T/ca/ca.crt")
}

read_json() { "$record" -r "$1" "${reading[@]}" --json "${@:2}" 2>/dev/null; }
summary() { jq -c 'select(.schema == "chime.record-summary/1")' "$1"; }

# What two sources tell of the events of $1, in one form.
form='[.server, .boot, .seq, .time, .kind, .job, .run, .by, .reason, .body]'

# Those that were told by the server when it was asked, from the recorder's and from its own list.
told() {
	jq -c "select(.schema == \"chime.record-event/1\") | $form" "$1" | sort
}

@test "a capture decodes to the events any server tells, each signed, each once" {
	jq -c ".events[] | $form" "$T/events.json" | sort >"$T/said"
	told "$T/all.json" >"$T/heard"
	# The servers go on after they were asked: nothing they said may be missing.
	[ -z "$(comm -23 "$T/said" "$T/heard")" ]
	[ -z "$(uniq -d "$T/heard")" ]
	[ "$(wc -l <"$T/said")" -gt 12 ]
	[ "$(jq -r 'select(.schema == "chime.record-event/1") | .proof' "$T/all.json" | sort -u)" = signed ]
}

@test "nothing is wrong in it, and the figures say so" {
	[ -z "$(jq -c 'select(.wrong == true)' "$T/all.json")" ]
	summary "$T/all.json" | jq -e '.not_opened == 0 and (.servers | length) == 3 and
		([.servers[] | .lost + .forks + .bad_signatures + .unproved + .unchecked] | add) == 0 and
		([.servers[] | .signed] | add) > 12'
	# A start each, and one more of bravo.
	[ "$(jq -r 'select(.kind == "server.up") | .server' "$T/all.json" | sort | paste -sd' ')" = "alpha bravo bravo charlie" ]
}

@test "text tells the same, and ends with a table" {
	"$record" -r "$T/all.pcap" "${reading[@]}" >"$T/text" 2>/dev/null
	grep -qE '^[0-9T:.-]+Z alpha:[0-9]+ run\.ended first run [0-9]+ state=SUCCESS' "$T/text"
	[ "$(grep -cE '^[0-9T:.-]+Z [a-z]+:[0-9]+ ' "$T/text")" -eq "$(told "$T/all.json" | wc -l)" ]
	grep -q '^SERVER *DATAGRAMS' "$T/text"
	[ "$(grep -cE '^(alpha|bravo|charlie) ' "$T/text")" -eq 3 ]
	"$record" -r "$T/all.pcap" "${reading[@]}" --quiet 2>/dev/null >"$T/quiet"
	[ "$(grep -cE '^[0-9T:.-]+Z [a-z]+:[0-9]+ ' "$T/quiet" || true)" -eq 0 ]
}

# The numbers and sizes of a start with its certificate, a run's end and a bare head.
three_packets() {
	"$record" -r "$T/all.pcap" "${reading[@]}" --datagrams --json 2>/dev/null | jq -r --slurp \
		'to_entries | map(select(.value.kind == "bus")) |
		(map(select(any(.value.frames[]; .opens))) | first),
		(map(select(any(.value.frames[].events[]; .kind == "run.ended"))) | first),
		(map(select(.value.frames == [])) | first) | "\(.key + 1) \(.value.bytes)"'
}

@test "every byte of every kind of packet flipped: nothing of it opens" {
	local n bytes
	while read -r n bytes; do
		"$tool" mangle "$T/all.pcap" "$T/flips.pcap" "flips=$n"
		# By its port: without its magic nothing else tells that it was one of the bus.
		read_json "$T/flips.pcap" --port "$BUS_PORT" >"$T/flips.json"
		[ "$bytes" -gt 200 ]
		[ "$(summary "$T/flips.json" | jq .not_opened)" -eq "$bytes" ]
		# And no event is there that was not said.
		[ -z "$(comm -13 <(told "$T/all.json") <(told "$T/flips.json"))" ]
	done < <(three_packets)
}

@test "a flipped byte of the clear form is never signed" {
	local n bad
	# Without the seal the signatures alone decide.
	while read -r n _; do
		"$tool" mangle "$T/clear.pcap" "$T/flips.pcap" "flips=$n"
		"$record" -r "$T/flips.pcap" --ca "$T/ca/ca.crt" --json 2>/dev/null >"$T/flips.json"
		jq -c "select(.schema == \"chime.record-event/1\" and .proof == \"signed\") | $form" "$T/flips.json" | sort >"$T/signed"
		bad=$(comm -13 <(told "$T/all.json") "$T/signed")
		[ -z "$bad" ]
	done < <(three_packets)
}

@test "dropped, doubled and swapped datagrams give the right figures" {
	local n before after
	n=$(three_packets | sed -n '2s/ .*//p')
	before=$(summary "$T/all.json" | jq '[.servers[].duplicates] | add')
	"$tool" mangle "$T/all.pcap" "$T/dup.pcap" "dup=$n" dup=1 dup=2
	read_json "$T/dup.pcap" >"$T/dup.json"
	after=$(summary "$T/dup.json" | jq '[.servers[].duplicates] | add')
	[ "$after" -ge $((before + 1)) ]
	[ "$(told "$T/dup.json" | md5sum)" = "$(told "$T/all.json" | md5sum)" ]
	# Every datagram of alpha with the frame of the run's end, beacons too: it stays unseen.
	local seq
	local -a drops
	seq=$(jq -r 'select(.server == "alpha" and .kind == "run.ended") | .seq' "$T/all.json" | head -n 1)
	mapfile -t drops < <("$record" -r "$T/all.pcap" "${reading[@]}" --datagrams --json 2>/dev/null | jq -r --slurp --argjson seq "$seq" \
		'to_entries[] | select(any(.value.frames[]; .origin == "alpha" and .first <= $seq and .first + .count > $seq)) | "drop=\(.key + 1)"')
	[ "${#drops[@]}" -gt 0 ]
	"$tool" mangle "$T/all.pcap" "$T/drop.pcap" "${drops[@]}"
	read_json "$T/drop.pcap" >"$T/drop.json"
	[ -n "$(jq -c --argjson seq "$seq" 'select(.finding == "gap" and .server == "alpha" and .first <= $seq and .last >= $seq)' "$T/drop.json")" ]
	[ "$(summary "$T/drop.json" | jq '.servers[] | select(.server == "alpha") | .lost')" -ge 1 ]
	[ -z "$(jq -c --argjson seq "$seq" 'select(.server == "alpha" and .seq == $seq)' "$T/drop.json")" ]
	# The first of them alone: a beacon repairs it.
	"$tool" mangle "$T/all.pcap" "$T/one.pcap" "${drops[0]}"
	read_json "$T/one.pcap" >"$T/one.json"
	[ "$(told "$T/one.json" | md5sum)" = "$(told "$T/all.json" | md5sum)" ]
	[ "$(summary "$T/one.json" | jq '[.servers[].lost] | add')" -eq 0 ]
}

@test "a capture that begins in the middle is unchecked, until a certificate is given" {
	"$record" -r "$T/all.pcap" "${reading[@]}" --datagrams --json 2>/dev/null | jq -r --slurp \
		'(to_entries | map(select(any(.value.frames[]; .opens))) | map(.key) | max) as $last |
		range(0; $last + 1) | "drop=\(. + 1)"' >"$T/drops"
	# shellcheck disable=SC2046
	"$tool" mangle "$T/all.pcap" "$T/middle.pcap" $(<"$T/drops")
	# Something is left to judge.
	read_json "$T/middle.pcap" >"$T/middle.json"
	[ "$(summary "$T/middle.json" | jq '[.servers[].unchecked_heads] | add')" -gt 0 ]
	[ "$(summary "$T/middle.json" | jq '[.servers[].signed] | add')" -eq 0 ]
	"$record" -r "$T/middle.pcap" "${reading[@]}" --json --certificate "$T/alpha/id.crt" \
		--certificate "$T/bravo/id.crt" --certificate "$T/charlie/id.crt" 2>/dev/null >"$T/middle.json"
	[ "$(summary "$T/middle.json" | jq '[.servers[].unchecked_heads] | add')" -eq 0 ]
	[ "$(summary "$T/middle.json" | jq '[.servers[].bad_signatures] | add')" -eq 0 ]
}

@test "the clear form: same packets, same times, not the magic of the bus, and read again without a key" {
	[ "$(stat -c %a "$T/clear.pcap")" = 600 ]
	tshark -r "$T/all.pcap" -T fields -e frame.time_epoch -e ip.src -e udp.srcport 2>/dev/null >"$T/sealed.list"
	tshark -r "$T/clear.pcap" -T fields -e frame.time_epoch -e ip.src -e udp.srcport 2>/dev/null >"$T/clear.list"
	cmp "$T/sealed.list" "$T/clear.list"
	[ "$(tshark -r "$T/clear.pcap" -o udp.check_checksum:TRUE -o ip.check_checksum:TRUE -T fields \
		-e udp.checksum.status -e ip.checksum.status -Y 'udp.payload[0:4] == 43:48:43:31' 2>/dev/null | sort -u)" = "1	1" ]
	[ -z "$(tshark -r "$T/clear.pcap" -Y 'udp.payload[0:4] == 43:48:4d:31' 2>/dev/null)" ]
	"$record" -r "$T/clear.pcap" --ca "$T/ca/ca.crt" --json 2>/dev/null >"$T/again.json"
	[ "$(told "$T/again.json" | md5sum)" = "$(told "$T/all.json" | md5sum)" ]
}

@test "Wireshark finds what chime events tells" {
	command -v tshark >/dev/null || skip "tshark is not installed"
	wireshark() { tshark -X "lua_script:$lua" -r "$1" "${@:2}" 2>"$T/tshark.err"; }
	# Packets hold more than what was asked for: one line an event, then filtered once more.
	wireshark "$T/clear.pcap" -Y 'chime.server == "alpha" && chime.type == "run.ended"' -T fields \
		-e chime.type -e chime.seq >"$T/ended"
	awk -F'\t' '{ n = split($1, type, ","); split($2, seq, ","); for (i = 1; i <= n; i++) if (type[i] == "run.ended") print seq[i] }' \
		"$T/ended" | sort -un >"$T/ended.seq"
	jq -r 'select(.server == "alpha" and .kind == "run.ended") | .seq' "$T/all.json" |
		sort -un >"$T/said.seq"
	[ -s "$T/said.seq" ]
	diff "$T/said.seq" "$T/ended.seq"
	[ -n "$(wireshark "$T/clear.pcap" -Y 'chime.job == "second" && chime.state == "FAILED" && chime.exit == 1')" ]
	[ -n "$(wireshark "$T/clear.pcap" -Y 'chime.type == "server.up" && chime.frame.opens == 1')" ]
	local run
	run=$(jq -r 'select(.server == "alpha" and .kind == "run.created") | .run' "$T/all.json" | head -n 1)
	[ -n "$(wireshark "$T/clear.pcap" -Y "chime.run == $run")" ]
	# Sealed it sees what is in clear.
	[ "$(wireshark "$T/all.pcap" -Y 'chime.packet == "sealed"' | wc -l)" -eq "$(summary "$T/all.json" | jq .opened)" ]
	[ "$(wireshark "$T/all.pcap" -Y 'chime.packet == "sealed"' -T fields -e chime.key_id | sort -u)" = "0x$(cut -d' ' -f2 "$T/key")" ]
	[ -z "$(wireshark "$T/clear.pcap" -Y chime.malformed)" ]
	[ "$(grep -ci 'lua' "$T/tshark.err" || true)" -eq 0 ]
}

@test "flipped bytes never raise an error in the dissector" {
	command -v tshark >/dev/null || skip "tshark is not installed"
	local n
	while read -r n _; do
		"$tool" mangle "$T/clear.pcap" "$T/flips.pcap" "flips=$n"
		tshark -X "lua_script:$lua" -r "$T/flips.pcap" -V >"$T/flips.text" 2>&1
		[ "$(grep -ci 'lua error' "$T/flips.text" || true)" -eq 0 ]
	done < <(three_packets)
	grep -q 'chime bus' "$T/flips.text"
}

@test "the dissector knows every kind of event, by its number" {
	awk '/oneof body/ { inside = 1; next } inside && /}/ { exit } inside { gsub(/;/, ""); sub(/_/, ".", $2); print $4, $2 }' \
		"$BATS_TEST_DIRNAME/../../proto/event.proto" >"$T/kinds"
	[ "$(wc -l <"$T/kinds")" -gt 15 ]
	sed -nE 's/^\t\[([0-9]+)\] = \{ name = "([a-z._]+)".*/\1 \2/p' "$lua" >"$T/known"
	diff "$T/kinds" "$T/known"
	# And every state and cause.
	for list in "RunState:states" "Cause:causes"; do
		awk -v name="${list%:*}" '$0 ~ "^enum " name " " { inside = 1; next } inside && /^}/ { exit } inside { sub(/^[A-Z]+_/, "", $1); print $1 }' \
			"$BATS_TEST_DIRNAME/../../proto/event.proto" >"$T/words"
		sed -n "/^local ${list#*:} = {/,/}/p" "$lua" | grep -oE '"[A-Z]+"' | tr -d '"' >"$T/known"
		[ -s "$T/words" ]
		diff "$T/words" "$T/known"
	done
}
