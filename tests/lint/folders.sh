#!/bin/bash
# folders.sh - the top level is the one of the map; every folder has a README of at most 25 lines.
set -eu

known='^(Makefile|daemon|client|proto|schema|tests|man|README\.md|LICENSE|\.ci|examples|packaging'
known+='|packages\.sh|\.gitignore|\.clang-format|\.git|build(-.*)?)$'
wrong=0
for entry in $(find . -mindepth 1 -maxdepth 1 -printf '%f\n' | sort); do
	[[ $entry =~ $known || ./$entry -ef $BUILD ]] && continue
	echo "$entry:1: not on the map of folders"
	wrong=1
done
while read -r readme; do
	lines=$(wc -l <"$readme")
	[ "$lines" -le 25 ] || { echo "$readme:26: $lines lines, at most 25"; wrong=1; }
done < <(find proto daemon client schema tests man -name README.md -not -path '*/corpus/*')
for folder in proto daemon daemon/core daemon/command daemon/edge daemon/launcher daemon/shepherd \
	client schema tests man; do
	[ -e "$folder/README.md" ] || { echo "$folder/README.md:1: is missing"; wrong=1; }
done
exit $wrong
