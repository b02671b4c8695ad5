#!/bin/sh
# Builds the simulator with one seeded bug at a time and runs seeds until one catches it.
#
#	CC='gcc FLAGS' LIBS='...' sh tests/sim/mutants.sh BUILD OBJECT... ARCHIVE
#
# A seeded bug is one or two lines between "#ifdef MUTANT_NAME" (or #ifndef) and #endif in a file of
# the daemon. That file alone is compiled anew; it stands before the archive on the linker's line,
# so that the archive's own object of it is left out.
set -eu
build=$1
shift
mkdir -p "$build/mutants"
names=$(grep -rhoE '#ifn?def MUTANT_[A-Z_]+' daemon proto --include='*.c' |
	sed 's/.*MUTANT_//' | sort -u)
count=0
caught=
missed=
for name in $names; do
	count=$((count + 1))
	source=$(grep -rlE "#ifn?def MUTANT_$name\$" daemon proto --include='*.c')
	# CC holds flags, and there may be several files of objects: both are lists.
	# shellcheck disable=SC2086
	$CC -w "-DMUTANT_$name" -c "$source" -o "$build/mutants/$name.o"
	# shellcheck disable=SC2086
	$CC "$build/mutants/$name.o" "$@" $LIBS -o "$build/mutants/$name"
	if "$build/mutants/$name" --until-caught --seeds 300 >"$build/mutants/$name.log" 2>&1; then
		caught="$caught $name"
	else
		missed="$missed $name"
	fi
	rm -f "$build/mutants/$name"
done
# shellcheck disable=SC2086
set -- $caught
echo "caught $# of $count:$caught"
if [ -n "$missed" ]; then
	echo "missed:$missed"
	exit 1
fi
