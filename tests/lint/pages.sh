#!/bin/bash
# pages.sh - manual pages are right mdoc, and what they refer to of chime is there.
set -eu

command -v mandoc >/dev/null || { echo "there is no mandoc"; exit 77; }
pages=(man/*.[1-9])
[ -e "${pages[0]}" ] || { echo "man:1: there is no page"; exit 1; }
wrong=0
said=$(mandoc -T lint -W warning "${pages[@]}" 2>&1) || wrong=1
[ -z "$said" ] || printf '%s\n' "${said//mandoc: /}"
while IFS=: read -r file line name section; do
	if [ ! -e "man/$name.$section" ]; then
		echo "$file:$line: there is no page $name($section)"
		wrong=1
	fi
done < <(grep -nHE '^\.Xr chime' "${pages[@]}" |
	sed -E 's/^([^:]*):([0-9]+):\.Xr ([^ ]+) ([0-9]).*/\1:\2:\3:\4/')
exit $wrong
