#!/bin/bash
# symbols.sh - the pure core calls nothing but memory, strings, formatting, assert, sort, names,
# protobuf-c and what the compiler needs: seen in its objects, so no include can hide it.
set -eu

allowed='^(__assert_fail|abort|qsort|bsearch'
allowed+='|malloc|calloc|realloc|reallocarray|free|str(n)?dup'
allowed+='|mem(cpy|move|set|cmp|chr|rchr|mem)|str(n)?(len|cmp|cat)|str(r?chr|c?spn|str|chrnul)'
allowed+='|v?snprintf|__(mem(cpy|move|set)|v?snprintf|strncat)_chk'
allowed+='|protobuf_c_[a-z_]*|chime__[a-z_]*'
# The compiler's own: stack protector, wide arithmetic, sanitizers, coverage.
allowed+='|__stack_chk_fail|__(popcount|parity|clz|ctz|mul|div|mod|udiv|umod|mulo)[a-z]*[0-9]'
allowed+='|__(asan|ubsan|sanitizer|gcov|llvm|sanitizer_cov|tsan)_.*|_GLOBAL_OFFSET_TABLE_)$'

objects=("$BUILD"/daemon/core/*.o)
if [ ! -e "${objects[0]}" ] || [ ! -e "$BUILD/proto/names.o" ]; then
	echo "nothing was built in $BUILD"
	exit 77
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
nm -A -u "${objects[@]}" | awk '{ print $1 ":" $NF }' | sed "s|^$BUILD/||; s|\.o::*|.c:|" \
	>"$work/wanted"
nm --defined-only -g "${objects[@]}" "$BUILD/proto/names.o" | awk 'NF == 3 { print $3 }' |
	sort -u >"$work/known"

wrong=0
while IFS=: read -r file symbol; do
	[[ $symbol =~ $allowed ]] && continue
	grep -qxF "$symbol" "$work/known" && continue
	line=$(grep -nw "$symbol" "$file" | head -n 1 | cut -d: -f1)
	echo "$file:${line:-1}: the pure core uses $symbol"
	wrong=1
done <"$work/wanted"

# No state either: what the core knows is handed to it. Tables of constants that hold addresses lie
# in .data.rel.ro.
for object in "${objects[@]}"; do
	while read -r symbol; do
		file=${object#"$BUILD"/}
		file=${file%.o}.c
		line=$(grep -nw "${symbol%%.[0-9]*}" "$file" | head -n 1 | cut -d: -f1)
		echo "$file:${line:-1}: the pure core has a variable of its own: $symbol"
		wrong=1
	done < <(objdump -t "$object" | awk '$3 == "O" && ($4 ~ /^\.(bss|data)/ || $4 == "*COM*") &&
		$4 !~ /^\.data\.rel\.ro/ { print $NF } $2 == "O" && $3 ~ /^\.(bss|data)/ &&
		$3 !~ /^\.data\.rel\.ro/ { print $NF }' | grep -vE '^(__|\.L|_\.str)' || true)
done
exit $wrong
