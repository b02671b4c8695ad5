#!/bin/bash
# render.sh - pictures of a terminal's screen.
#
#	tmux capture-pane -epN > jobs.txt
#	tests/screens/render.sh jobs.txt jobs.png [TITLE]
#
# The picture is a PNG, or an SVG when it is called so. -N keeps blanks at the end of a line, which
# may be reverse. The same text gives the same picture: render.c draws it, rsvg-convert (package
# librsvg2-bin) and the font DejaVu Sans Mono (fonts-dejavu-core) make the PNG.
set -eu

if [ $# -lt 2 ]; then
	sed -n 's/^# \{0,1\}//; 2,5p' "$0" >&2
	exit 2
fi
text=$1 picture=$2 title=${3:-$(basename "$2")}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/chime-render.XXXXXX")
trap 'rm -rf "$work"' EXIT

${CC:-gcc} -std=c17 -D_GNU_SOURCE -O1 -o "$work/render" "$here/render.c" -lm
"$work/render" "$title" <"$text" >"$work/picture.svg"
case $picture in
*.svg) cp "$work/picture.svg" "$picture" ;;
*)
	command -v rsvg-convert >/dev/null || {
		echo "render.sh: there is no rsvg-convert" >&2
		echo "try:       apt-get install librsvg2-bin fonts-dejavu-core" >&2
		exit 1
	}
	rsvg-convert -o "$picture" "$work/picture.svg"
	;;
esac
