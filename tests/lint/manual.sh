#!/bin/bash
# manual.sh - every command of the table has its place in chime(1), chime(1) has no other, and every
# option a command's help names stands in the manual.
set -eu

table=proto/commands.c
page=man/chime.1
wrong=0

if [ ! -e "$page" ]; then
	echo "$page:1: there is no manual page"
	exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
grep -nE '^[[:space:]]*\.name = "' $table | sed -E 's/^([0-9]+):.*\.name = "([^"]*)".*/\1 \2/' \
	>"$work/rows"

while read -r line name; do
	if ! grep -qE "^\.It Ic $name( |$)" $page; then
		echo "$table:$line: '$name' is not in $page"
		wrong=1
	fi
done <"$work/rows"

# The commands of the page: words after .It Ic up to a macro or an argument.
grep -nE '^\.It Ic [a-z]' $page | sed -E 's/^([0-9]+):\.It Ic /\1 /' >"$work/items"
while read -r line words; do
	name=
	for word in $words; do
		[[ $word =~ ^[a-z]+$ ]] || break
		name=${name:+$name }$word
	done
	if ! cut -d' ' -f2- "$work/rows" | grep -qxF "$name"; then
		echo "$page:$line: there is no command '$name'"
		wrong=1
	fi
done <"$work/items"

# Options of help texts: lines that begin with blanks and a dash.
grep -nE '"[[:space:]]*(-[a-zA-Z],? *)?--[a-z]' $table |
	grep -oE '^[0-9]+:|--[a-z][a-z-]+' |
	awk '/:$/ { line = $0; next } { print line $0 }' | sort -t: -k2,2 -u | sort -n \
	>"$work/options"
while IFS=: read -r line option; do
	if ! grep -qE "Fl -${option#--}( |$)" $page; then
		echo "$table:$line: $option is not in $page"
		wrong=1
	fi
done <"$work/options"
exit $wrong
