#!/bin/bash
# record.bash - how fast chime-record reads a capture: events a second, beside a loop over the same
# packets that opens nothing (what libpcap and the parsing of headers cost alone).
#
# One line: "recorder: N events/s judged, N events/s as JSON, 1/N of reading the packets alone".
set -eu

BUILD=${BUILD:?}
EVENTS=${EVENTS:-200000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 700 "$work"
"$BUILD/recordtool" make "$work" "$EVENTS"
reading=(-r "$work/bus.pcap" --key "$work/bus.key" --ca "$work/ca.crt")

# measure COMMAND... - microseconds, the best of three
measure() {
	local best=0 i begin took
	for i in 1 2 3; do
		begin=${EPOCHREALTIME/./}
		"$@" >/dev/null 2>&1
		took=$((${EPOCHREALTIME/./} - begin))
		if ((i == 1 || took < best)); then
			best=$took
		fi
	done
	echo "$((best > 0 ? best : 1))"
}

plain=$(measure "$BUILD/chime-record" -r "$work/bus.pcap" --quiet)
judged=$(measure "$BUILD/chime-record" "${reading[@]}" --quiet)
text=$(measure "$BUILD/chime-record" "${reading[@]}")
json=$(measure "$BUILD/chime-record" "${reading[@]}" --json)
printf 'recorder: %d events/s judged, %d as text, %d as JSON; 1/%d of reading the packets alone\n' \
	$((EVENTS * 1000000 / judged)) $((EVENTS * 1000000 / text)) $((EVENTS * 1000000 / json)) $((judged / plain))
