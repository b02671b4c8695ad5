# try.bash - what bash would offer for each line of the standard input: "= LINE", then an offer a
# line. The words are split as readline splits them.
#
#	bash --norc try.bash SCRIPT [BASH_COMPLETION]
# shellcheck shell=bash disable=SC1090

[[ -z ${2-} ]] || . "$2"
# Without an interactive shell this is not set.
[[ -n ${2-} ]] || COMP_WORDBREAKS=$' \t\n"\'@><=;|&(:'
. "$1"

split() {
	local rest=$1 breaks='@:='

	COMP_WORDS=()
	while [[ -n $rest ]]; do
		rest=${rest#"${rest%%[! ]*}"}
		if [[ $rest == ["$breaks"]* && $COMP_WORDBREAKS == *"${rest:0:1}"* ]]; then
			COMP_WORDS+=("${rest:0:1}")
			rest=${rest:1}
		elif [[ -n $rest ]]; then
			local word=${rest%%[ @:=]*}
			# An end of words that is none here.
			while [[ ${rest:${#word}:1} == [@:=] &&
				$COMP_WORDBREAKS != *"${rest:${#word}:1}"* ]]; do
				word+=${rest:${#word}:1}
				rest_after=${rest:${#word}}
				word+=${rest_after%%[ @:=]*}
			done
			COMP_WORDS+=("$word")
			rest=${rest:${#word}}
		fi
	done
	[[ $1 != *' ' ]] || COMP_WORDS+=("")
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	COMP_LINE=$1 COMP_POINT=${#1}
}

while IFS= read -r line; do
	echo "= $line"
	split "$line"
	_chime chime "${COMP_WORDS[COMP_CWORD]}" ''
	[[ ${#COMPREPLY[@]} -eq 0 ]] || printf '%s\n' "${COMPREPLY[@]}"
	if [[ -n ${TIMES-} ]]; then
		start=${EPOCHREALTIME/[.,]/}
		_chime
		echo "bash: '$line' $((${EPOCHREALTIME/[.,]/} - start)) us" >>"$TIMES"
	fi
done
