#!/bin/bash
# libraries.sh - each library has its one room.
set -eu

rooms() {
	cat <<'TABLE'
sqlite3\.h              ^daemon/edge/journal
event2/                 ^daemon/edge/|^daemon/main\.c$
openssl/                ^proto/
yaml\.h                 ^daemon/yaml\.c$
jansson\.h              ^client/
pcap                    ^client/record/
(n?curses|panel|menu)   ^client/monitor/
libsmartcols/           ^client/
(pthread|threads)\.h    ^daemon/edge/resolve\.c$|^client/monitor/(courier|mail)\.c$
TABLE
}

wrong=0
while read -r header room; do
	while IFS=: read -r file line text; do
		[[ $file =~ $room ]] && continue
		echo "$file:$line: not in its room ($room): $text"
		wrong=1
	done < <(grep -rnE "^[[:space:]]*#[[:space:]]*include[[:space:]]*<$header" \
		--include='*.[ch]' proto daemon client schema)
done < <(rooms)
exit $wrong
