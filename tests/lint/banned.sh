#!/bin/bash
# banned.sh - calls that overflow, truncate in silence, keep hidden state or start a shell.
set -eu

calls='strcpy|strcat|stpcpy|strncpy|sprintf|vsprintf|gets|alloca|system|popen|mktemp|tmpnam|tempnam'
calls+='|gmtime|localtime|ctime|asctime|strtok'
word="(^|[^[:alnum:]_.>])($calls)[[:space:]]*\\("
comment='^[^:]*:[0-9]+:[[:space:]]*(/?\*|//)'

wrong=0
while IFS=: read -r file line text; do
	call=$(grep -oE "$word" <<<"$text" | head -n 1 | grep -oE "$calls" | head -n 1)
	# A test owns its process and its texts.
	[[ $call == strtok && $file == tests/* ]] && continue
	echo "$file:$line: $call is not used here"
	wrong=1
done < <(grep -rnE "$word" --include='*.[ch]' proto daemon client tests | grep -vE "$comment")
exit $wrong
