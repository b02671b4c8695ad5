#!/bin/bash
# banned.sh - calls that overflow, truncate in silence, keep hidden state or start a shell.
set -eu

calls='strcpy|strcat|stpcpy|strncpy|strncat|sprintf|vsprintf|gets|alloca|system|popen|mktemp|tmpnam'
calls+='|tempnam|strtok|atoi|atol|atoll|atof|gmtime|localtime|ctime|asctime|rand|srand|setjmp|longjmp'
calls+='|signal|usleep'
# Where one of them is right after all, and why.
excused() {
	cat <<'TABLE'
client/main.c:signal	SIG_IGN of SIGPIPE, before anything is started
tests/:signal	the same
tests/:atoi	figures the makefile gives
TABLE
}

wrong=0
while IFS=: read -r file line text; do
	call=$(grep -oE "(^|[^[:alnum:]_.>])($calls)[[:space:]]*\(" <<<"$text" | head -n 1 |
		grep -oE "($calls)") || continue
	while IFS=$'\t' read -r place _; do
		if [[ $file == "${place%%:*}"* && $call == "${place##*:}" ]]; then
			continue 2
		fi
	done < <(excused)
	echo "$file:$line: $call is not used here"
	wrong=1
done < <(grep -rnE "(^|[^[:alnum:]_.>])($calls)[[:space:]]*\(" --include='*.[ch]' proto daemon \
	client tests | grep -vE '^[^:]*:[0-9]+:[[:space:]]*(/?\*|//)')
exit $wrong
