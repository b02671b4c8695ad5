#!/bin/bash
# control.sh - the table of requests in chime-control(7) is the one that the server goes by: tags of
# control.proto, roles of the table of commands, answers that exist.
set -eu

page=man/chime-control.7
table=proto/commands.c
messages=proto/control.proto

# body tag, of one message
bodies() {
	awk -v message="$1" '
		$1 == "message" { inside = $2 == message }
		inside && /oneof/ { body = 1; next }
		inside && body && /}/ { body = 0 }
		inside && body && /=/ { sub(";", "", $4); print $2, $4 }' $messages
}

# request role action servers
rows() {
	awk '
		/^\t\{/ { request = role = ""; action = servers = "-" }
		match($0, /\.role = ROLE_[A-Z]+/) {
			role = tolower(substr($0, RSTART + 13, RLENGTH - 13))
		}
		match($0, /BODY_[A-Z_]+/) {
			request = tolower(substr($0, RSTART + 5, RLENGTH - 5))
		}
		/\.action = true/ { action = "yes" }
		/\.servers = true/ { servers = "yes" }
		/\},$/ && request != "" {
			print request, role, action, servers
			request = ""
		}' $table
}

wanted=$(join <(bodies Request | sort) <(rows | sort) | sort)
written=$(awk -F ' Ta ' '/^\.It [a-z_]+ Ta [0-9]+ Ta / {
	sub("^.It ", "", $1)
	print $1, $2, $3, $5, $6 }' $page | sort)
if [ -z "$wanted" ] || [ "$wanted" != "$written" ]; then
	echo "$page:1: its table of requests is not that of $table (<) and $messages:"
	diff <(echo "$wanted") <(echo "$written") || true
	exit 1
fi
wrong=0
while read -r answer; do
	if ! bodies Reply | grep -q "^$answer "; then
		echo "$page:1: there is no reply '$answer'"
		wrong=1
	fi
done < <(awk -F ' Ta ' '/^\.It [a-z_]+ Ta [0-9]+ Ta / && $4 != "-" { print $4 }' $page)
exit $wrong
