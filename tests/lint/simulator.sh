#!/bin/bash
# simulator.sh - the simulator runs the very node and journal that chimed runs: it takes their
# objects from the same library, as they are, and defines nothing of theirs itself.
set -eu

sim=$BUILD/chime-sim
library=$BUILD/libchime.a
if [ ! -x "$sim" ] || [ ! -e "$library" ]; then
	echo "the simulator was not built in $BUILD"
	exit 77
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
real() {
	find "$BUILD/daemon/core" -name '*.o'
	for name in node hear speak start repair attempts definitions peers; do
		[ ! -e "$BUILD/daemon/$name.o" ] || echo "$BUILD/daemon/$name.o"
	done
	find "$BUILD/daemon/edge" -name 'journal*.o'
	find "$BUILD/daemon/command" -name '*.o'
}

# A symbol, its kind and its size in an object or a program.
functions() {
	nm -S --defined-only -g "$1" | awk 'NF == 4 && $3 == "T" { print $4, $2 }' | sort -u
}

wrong=0
functions "$sim" >"$work/sim"
for object in $(find "$BUILD/tests/sim" -name '*.o' | sort); do
	functions "$object" | cut -d' ' -f1 >>"$work/own"
done
sort -u -o "$work/own" "$work/own"
for object in $(real); do
	source=${object#"$BUILD"/}
	source=${source%.o}.c
	member=$(basename "$object")
	# The library holds this object, byte for byte.
	if ! ar p "$library" "$member" | cmp -s - "$object" &&
		! ar t "$library" | grep -qx "$member"; then
		echo "$source:1: its object is not in $library"
		wrong=1
	fi
	functions "$object" >"$work/real"
	while read -r symbol; do
		echo "$source:1: the simulator has a $symbol of its own"
		wrong=1
	done < <(cut -d' ' -f1 "$work/real" | comm -12 - "$work/own")
	# Linked at all, it is linked in the same size.
	while read -r symbol size; do
		there=$(awk -v symbol="$symbol" '$1 == symbol { print $2 }' "$work/sim")
		if [ -n "$there" ] && [ "$there" != "$size" ]; then
			echo "$source:1: $symbol is another one in the simulator"
			wrong=1
		fi
	done <"$work/real"
done
for symbol in node_turn node_accept; do
	if ! grep -q "^$symbol " "$work/sim"; then
		echo "tests/sim/main.c:1: the simulator has no $symbol"
		wrong=1
	fi
done
if ! grep -q '^journal_' "$work/sim"; then
	echo "tests/sim/main.c:1: the simulator has no journal"
	wrong=1
fi
exit $wrong
