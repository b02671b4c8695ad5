#!/usr/bin/env bats
# record.bats - chime-record: captures that are kept as text, a recording on a real interface, and
# what it does without the right to one.

: "${BUILD:=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)/build}"
record=$(realpath -m "$BUILD")/chime-record
wire=$BATS_TEST_DIRNAME/../wire

setup() {
	T=$BATS_TEST_TMPDIR
	# In a checkout everybody may read it, which no program accepts of a key.
	install -m 600 "$wire/bus.key" "$T/bus.key"
}

# Until the text stands in the file, for at most 10 s.
wait_for() {
	for _ in {1..100}; do
		! grep -qs -- "$1" "$2" || return 0
		sleep 0.1
	done
	echo "no '$1' in $2:"
	cat "$2"
	return 1
}

@test "every capture says what is written beside it" {
	for capture in "$wire"/*.pcap; do
		"$record" -r "$capture" --key "$T/bus.key" --ca "$wire/ca.crt" --datagrams >"$T/said"
		diff -u "${capture%.pcap}.txt" "$T/said"
	done
}

@test "json has the same members for every datagram, and nothing of it is proved without a key" {
	"$record" -r "$wire/bus.pcap" --key "$T/bus.key" --ca "$wire/ca.crt" --datagrams --json >"$T/json"
	[ "$(jq -c keys "$T/json" | sort -u | wc -l)" -eq 1 ]
	[ "$(jq -r .schema "$T/json" | sort -u)" = chime.record/1 ]
	[ "$(jq -r 'select(.verdict == "ok" and .kind == "bus") | .sender' "$T/json" | sort -u |
		paste -sd' ')" = "alpha bravo charlie" ]
	"$record" -r "$wire/bus.pcap" --json >"$T/sealed"
	[ "$(jq -r 'select(.kind == "bus") | .verdict' "$T/sealed" | sort | uniq -c | paste -sd' ' |
		tr -s ' ')" = " 1 cut 9 sealed" ]
}

@test "a capture that is cut off is read to there, and said so" {
	head -c 3000 "$wire/bus.pcap" >"$T/cut.pcap"
	run "$record" -r "$T/cut.pcap"
	[ "$status" -eq 1 ]
	[[ $output == *"datagrams"*"is damaged"* ]]
	run "$record" -r "$wire/ca.crt"
	[ "$status" -eq 1 ]
	[[ $output == *"unknown file format"* ]]
}

@test "wrong usage is told, with what to do" {
	run "$record"
	[ "$status" -eq 2 ]
	run "$record" -i lo -r "$wire/bus.pcap"
	[ "$status" -eq 2 ]
	run "$record" -r "$wire/bus.pcap" --key "$T/bus.key"
	[ "$status" -eq 2 ]
	[[ $output == *"try:"* ]]
	run "$record" -i lo --ring 10x100M
	[ "$status" -eq 2 ]
	run "$record" -r "$wire/bus.pcap" -w "$T/copy" --ring 1x1M
	[ "$status" -eq 2 ]
	[[ $output == *"10x100M"* ]]
	run "$record" -r "$wire/bus.pcap" --decrypt
	[ "$status" -eq 2 ]
	run "$record" -r "$wire/bus.pcap" --user nobody
	[ "$status" -eq 2 ]
	run "$record" -r "$wire/bus.pcap" --port 70000
	[ "$status" -eq 2 ]
	chmod 644 "$T/bus.key"
	run "$record" -r "$wire/bus.pcap" --key "$T/bus.key" --ca "$wire/ca.crt"
	[ "$status" -eq 1 ]
	[[ $output == *"0644"* ]]
}

@test "without the right to capture it is refused" {
	if [ "$(id -u)" -eq 0 ]; then
		chmod 755 "$T"
		run setpriv --reuid 65534 --regid 65534 --clear-groups "$record" -i lo
	else
		run "$record" -i lo
	fi
	[ "$status" -eq 4 ]
	[[ $output == *"needs root"* ]]
}

@test "a recording takes the bus and nothing else, as nobody, and is whole when it ends" {
	[ "$(id -u)" -eq 0 ] || skip "capturing needs root"
	run "$record" -i no-such-if
	[ "$status" -eq 3 ]
	[[ $output == *" lo"* ]]
	# A network of its own, for what others send is none of its business.
	# shellcheck disable=SC2016
	unshare -n bash -c '
		ip link set lo up
		"$1" -i lo --port 7410 --count 3 -w "$2/live.pcap" 2>"$2/said" &
		recorder=$!
		until grep -qs listening "$2/said"; do
			kill -0 $recorder || exit 1
			sleep 0.05
		done
		grep -E "^(Uid|CapEff|NoNewPrivs)" /proc/$recorder/status >"$2/status"
		for i in 1 2 3; do
			echo other >/dev/udp/127.0.0.1/7409
			echo "datagram $i" >/dev/udp/127.0.0.1/7410
		done 2>/dev/null
		wait $recorder' run "$record" "$T"
	[[ $(<"$T/status") == *"65534"*"CapEff:"*"0000000000000000"*"NoNewPrivs:"*"1"* ]]
	"$record" -r "$T/live.pcap" >"$T/shown"
	[ "$(grep -c ':7410 other 11 B NOT OPENED: foreign' "$T/shown")" -eq 3 ]
	[ "$(stat -c %a "$T/live.pcap")" = 600 ]
}

@test "the CA is found beside the key, and the certificate must be one of a server of it" {
	cp "$wire/ca.crt" "$T/ca.crt"
	"$record" -r "$wire/bus.pcap" --key "$T/bus.key" >"$T/events"
	grep -q "bravo:5 run.created ledger/verify run 5 .*\[unchecked\]" "$T/events"
	grep -q "!! gap alpha:8 boot 1" "$T/events"
	[ "$(grep -c "!! not_opened" "$T/events")" -eq 5 ]
	run "$record" -r "$wire/bus.pcap" --key "$T/bus.key" --certificate "$T/ca.crt"
	[ "$status" -eq 1 ]
	[[ $output == *"chime:// name"* ]]
}

@test "events and findings have the same members whatever they say" {
	"$record" -r "$wire/bus.pcap" --key "$T/bus.key" --ca "$wire/ca.crt" --json >"$T/json"
	[ "$(jq -c "[.schema, keys]" "$T/json" | sort -u | wc -l)" -eq 3 ]
	[ "$(jq -r .schema "$T/json" | tail -n 1)" = chime.record-summary/1 ]
}

# A ring in a network of its own: its files, the sum of their sizes, and what is in them.
@test "a ring stays bounded, is written as an ordinary user, and is gone on with" {
	[ "$(id -u)" -eq 0 ] || skip "capturing needs root"
	# Where an ordinary user gets to, which is not so of the folders of bats.
	T=$(mktemp -d /tmp/chime-e2e.XXXXXX)
	mkdir "$T/ring"
	chmod 755 "$T"
	chown nobody "$T/ring"
	cat >"$T/ring.sh" <<-"END"
	ip link set lo up
	for round in 1 2; do
		rm -f "$2/said"
		"$1" -i lo --port 7410 --user nobody -w "$2/ring/bus" --ring 3x4K 2>"$2/said" &
		recorder=$!
		until grep -qs listening "$2/said"; do
			kill -0 $recorder || exit 1
			sleep 0.05
		done
		if [ $round = 2 ]; then
			timeout 10 "$1" -i lo --port 7410 --user nobody -w "$2/ring/bus" --ring 3x4K 2>"$2/second"
		fi
		for i in {1..60}; do
			printf "%s-%03d%0200d" $round $i 0 >/dev/udp/127.0.0.1/7410
		done 2>/dev/null
		sleep 0.3
		kill -TERM $recorder
		wait $recorder || exit 1
	done
	END
	unshare -n bash "$T/ring.sh" "$record" "$T" 3>&-
	[ "$(find "$T/ring" -type f | wc -l)" -le 3 ]
	[ "$(find "$T/ring" -type f -size +4096c | wc -l)" -eq 0 ]
	[ "$(stat -c "%U %a" "$T"/ring/* | sort -u)" = "nobody 600" ]
	[ ! -e "$T/ring/bus.000001" ]
	grep -q "another chime-record writes this ring" "$T/second"
	cat "$T"/ring/bus.* | grep -aoE "[12]-[0-9]{3}" >"$T/order"
	sort -uc "$T/order"
	[ "$(tail -n 1 "$T/order")" = 2-060 ]
	[ "$(wc -l <"$T/order")" -ge 20 ]
	rm -rf "$T"
}

@test "what is shown live comes at once and ends in order with a signal" {
	[ "$(id -u)" -eq 0 ] || skip "capturing needs root"
	"$record" -i lo --port 17411 >"$T/shown" 2>"$T/said" 3>&- &
	wait_for listening "$T/said"
	echo "a datagram" >/dev/udp/127.0.0.1/17411
	wait_for "17411 other" "$T/shown"
	kill -INT $!
	wait $!
	grep -q "1 datagrams" "$T/said"
}
