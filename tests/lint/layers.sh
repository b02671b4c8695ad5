#!/bin/bash
# layers.sh - who may include whom. Includes are written from the root, so a wrong arrow is seen in
# the line itself.
#
# The first row whose pattern fits a file is its rule: the headers of this project it may include.
set -eu

rules() {
	cat <<'TABLE'
^proto/                         ^proto/
^daemon/core/                   ^daemon/core/|^daemon/clock\.h$|^proto/names\.h$|\.pb-c\.h$
^daemon/edge/journal            ^daemon/edge/journal|^daemon/core/|^daemon/link\.h$|^proto/|^schema/
^daemon/edge/                   ^daemon/(inbox|link|log|clock|conf|rate|output)\.h$|^proto/|^daemon/edge/(@OWN@|conn|address|follow|tail|listen|multicast|refusal|resolve)\.h$
^daemon/command/command\.c$     ^daemon/command/|^daemon/(node|log)\.h$|^proto/|^daemon/edge/control\.h$
^daemon/command/                ^daemon/command/|^daemon/core/|^daemon/(node|log|jobfile)\.h$|^proto/
^daemon/launcher/               ^daemon/launcher/|^daemon/(clock|conf|crc32|jobfile|leaf|link|log|output|spool|tree)\.h$|^proto/names\.h$
^daemon/shepherd/               ^daemon/shepherd/|^daemon/(clock|leaf|link|output|spool|tree)\.h$|^proto/names\.h$
^daemon/(arena|clock|conf|crc32|diag|fields|inbox|job[a-z]*|leaf|link|log|output|rate|spool|tree|tzdata|yaml|zonehint)\.[ch]$	^daemon/(arena|clock|conf|crc32|diag|fields|inbox|job[a-z]*|leaf|link|log|output|rate|spool|tree|tzdata|yaml|zonehint)\.h$|^daemon/core/|^proto/
^daemon/                        ^daemon/(core|edge|command)/|^daemon/[a-z_0-9]*\.h$|^proto/|^schema/
^client/record/                 ^client/record/|^client/(say|json)\.h$|^proto/
^client/monitor/                ^client/|^proto/|^daemon/core/
^client/                        ^client/[a-z_0-9]*\.h$|^client/monitor/|^proto/|^daemon/core/|^daemon/(jobfile|diag|yaml|tzdata|conf)\.h$
^schema/                        ^schema/
TABLE
}

# What may stand in <> in the pure part, and in proto/ besides its libraries.
core_system='^(assert|errno|inttypes|limits|stdarg|stdbool|stddef|stdint|stdio|stdlib|string|uthash)\.h$'
proto_system='^(assert|errno|inttypes|limits|stdarg|stdbool|stddef|stdint|stdio|stdlib|string|time|uthash)\.h$|^protobuf-c/'
# Files of an identity are read and written in proto/, and randomness is asked for.
proto_files='^proto/(keyfile|ca|identity|digest|buskey)\.c$'
proto_file_system='^(fcntl|unistd|sys/stat|sys/random)\.h$'
proto_crypto='^proto/(buskey|ca|digest|identity|keyfile|sigkey|tls|xaes)\.[ch]$'

declare -a patterns=() allowed=()
while read -r pattern headers; do
	patterns+=("$pattern")
	allowed+=("$headers")
done < <(rules)

wrong=0
complain() {
	echo "$1:$2: $3"
	wrong=1
}

judge_own() {
	local file=$1 line=$2 header=$3 i own=${1##*/} rule
	own=${own%.*}
	for i in "${!patterns[@]}"; do
		[[ $file =~ ${patterns[i]} ]] || continue
		rule=${allowed[i]//@OWN@/$own}
		[[ $header =~ $rule ]] || complain "$file" "$line" "may not include \"$header\""
		return
	done
	complain "$file" "$line" "there is no rule for this file"
}

judge_system() {
	local file=$1 line=$2 header=$3
	case $file in
	daemon/core/*)
		[[ $header =~ $core_system ]] ||
			complain "$file" "$line" "the pure core may not include <$header>"
		;;
	proto/*)
		[[ $header =~ $proto_system ]] && return
		[[ $header =~ ^openssl/ && $file =~ $proto_crypto ]] && return
		[[ $header =~ $proto_file_system && $file =~ $proto_files ]] && return
		complain "$file" "$line" "proto/ may not include <$header> here"
		;;
	esac
}

while IFS=: read -r file line text; do
	case $text in
	*\"*\"*)
		header=${text#*\"}
		judge_own "$file" "$line" "${header%%\"*}"
		;;
	*\<*\>*)
		header=${text#*<}
		judge_system "$file" "$line" "${header%%>*}"
		;;
	*) complain "$file" "$line" "an include that is no name" ;;
	esac
done < <(grep -rnE '^[[:space:]]*#[[:space:]]*include' --include='*.[ch]' proto daemon client schema)
exit $wrong
