#!/bin/bash
# form.sh - tabs to indent, at most 100 columns, no blanks at the end of a line, a newline at the
# end of a file.
#
# Texts are not broken to fit: a line of C with a string may have 112 columns, of bats 160.
set -eu

mapfile -t files < <(find proto daemon client schema tests man examples -type f \
	\( -name '*.[ch]' -o -name '*.proto' -o -name '*.sql' -o -name '*.sh' -o -name '*.bats' \
	-o -name '*.bash' -o -name '*.[1-9]' \) -not -path 'tests/fuzz/corpus/*' | sort)
for file in Makefile packages.sh README.md .ci/run; do
	[ ! -e "$file" ] || files+=("$file")
done

said=$(awk '
FNR == 1 { c = FILENAME ~ /\.[ch]$/ }
{
	line = $0
	sub(/\r$/, "", line)
	# Columns of a tab of 8; bytes of a character beyond the first do not count.
	text = line
	gsub(/[\200-\277]/, "", text)
	column = 0
	for (i = 1; i <= length(text); i++)
		column = substr(text, i, 1) == "\t" ? column - column % 8 + 8 : column + 1
	most = 100
	if (c && line ~ /"/ && line !~ /^#include/)
		most = 112
	else if (FILENAME ~ /\.ba(ts|sh)$/)
		most = 160
	else if (FILENAME ~ /(\.[1-9]|README\.md|lint\/layers\.sh)$/)
		most = 1000
	if (column > most)
		print FILENAME ":" FNR ": " column " columns"
	if (line != $0)
		print FILENAME ":" FNR ": ends in a carriage return"
	if (line ~ /[ \t]$/)
		print FILENAME ":" FNR ": blanks at its end"
	if (c && line ~ /^ +[^ *]/)
		print FILENAME ":" FNR ": indented by blanks"
	if (c && line ~ /^ *\t* +\t/)
		print FILENAME ":" FNR ": a blank before a tab"
}' "${files[@]}")

for file in "${files[@]}"; do
	if [ -s "$file" ] && [ -n "$(tail -c 1 "$file")" ]; then
		said+=${said:+$'\n'}"$file:$(wc -l <"$file"): no newline at its end"
	fi
done
[ -z "$said" ] || { printf '%s\n' "$said"; exit 1; }
