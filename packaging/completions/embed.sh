#!/bin/sh
# Prints the scripts beside this one as C text, for client/completion.h.
set -eu
cd "$(dirname "$0")"

embed() {
	echo "const char $1[] ="
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/?/\\?/g' -e 's/^/	"/' -e 's/$/\\n"/' "$2"
	echo '	;'
}

echo '#include "client/completion.h"'
embed completion_bash chime.bash
embed completion_zsh _chime
embed completion_fish chime.fish
