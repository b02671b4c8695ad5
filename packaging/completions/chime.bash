# bash completion for chime(1), as `chime completion bash` prints it.
# shellcheck shell=bash
#
# Reads the table below and a file of names that `chime ls` has left; asks no server and starts no
# program. Works with and without the package bash-completion.

# KIND|COMMAND|OPTION|VALUE|TEXT
# shellcheck disable=SC2016
_chime_table='@TABLE@'

# The words up to the cursor. For readline @, : and = end a word; for chime only blanks do.
_chime_split() {
	local rest=${COMP_LINE:0:COMP_POINT} start piece i

	words=()
	for ((i = 0; i <= COMP_CWORD; i++)); do
		piece=${COMP_WORDS[i]}
		start=${rest#"${rest%%[![:space:]]*}"}
		if [[ ${#words[@]} -eq 0 || $start != "$rest" ]]; then
			words+=("")
		fi
		piece=${piece:0:${#start}}
		words[${#words[@]} - 1]+=$piece
		rest=${start:${#piece}}
	done
}

# Names that begin with $2; NAME@SERVER, or with $1 = server the servers.
_chime_names() {
	local file newest='' name lead=''

	for file in /run/chime/names "${XDG_CACHE_HOME:-$HOME/.cache}"/chime/names.*; do
		[[ -f $file && -r $file ]] || continue
		[[ -n $newest && ! $file -nt $newest ]] || newest=$file
	done
	[[ -n $newest ]] || return 0
	if [[ $1 == server ]]; then
		lead=@
	fi
	while read -r name; do
		[[ $name == "$lead$2"* ]] || continue
		# Jobs or servers, not both at once.
		[[ $name != @* || -n $lead$2 ]] && COMPREPLY+=("${name#"$lead"}")
	done <"$newest"
}

# What may stand for a VALUE of the table and begins with $2; $3 stands before it in the word.
_chime_offer() {
	local value=$1 current=$2 before=$3 head='' word i

	# A server may be told by the path of its socket.
	[[ $value != server || $current != [./]* ]] || value='file'
	case $value in
	target | server) _chime_names "$value" "$current" ;;
	file | dir | zone)
		if [[ $value == zone ]]; then
			head=/usr/share/zoneinfo/
		fi
		compopt -o filenames 2>/dev/null
		while read -r word; do
			if [[ $value == zone && -d $word ]]; then
				word+=/
				compopt -o nospace 2>/dev/null
			fi
			COMPREPLY+=("${word#"$head"}")
		done < <(compgen "$([[ $value == dir ]] && echo -d || echo -f)" -- "$head$current")
		;;
	'list '* | 'word '*)
		if [[ $value == list* ]]; then
			[[ $current != *,* ]] || head=${current%,*},
			compopt -o nospace 2>/dev/null
		fi
		for word in ${value#* }; do
			[[ $word != "${current#"$head"}"* ]] || COMPREPLY+=("$head$word")
		done
		;;
	esac
	for i in "${!COMPREPLY[@]}"; do
		COMPREPLY[i]=$before${COMPREPLY[i]}
	done
}

_chime() {
	local words word kind of option value place=() pending='' ended='' command='' current head
	local breaks=${COMP_WORDBREAKS//[!@:=]/}
	local -A operands=() takes=() options=()

	COMPREPLY=()
	_chime_split
	current=${words[${#words[@]} - 1]}
	# Within quotes nothing ends a word.
	if [[ $current == [\"\']* ]]; then
		current=${current:1}
		breaks=
	fi
	while IFS='|' read -r kind of option value _; do
		case $kind in
		command) operands[$of]=$value ;;
		option)
			options["$of $option"]=$value
			takes[$option]=$value
			;;
		esac
	done <<<"$_chime_table"

	for word in "${words[@]:1:${#words[@]} - 2}"; do
		if [[ -n $pending ]]; then
			pending=
		elif [[ -n $ended || $word != -?* ]]; then
			place+=("$word")
		elif [[ $word == -- ]]; then
			ended=1
		elif [[ $word == --* ]]; then
			[[ -z ${takes["$word"]-} ]] || pending=$word
		elif [[ -n ${takes["-${word: -1}"]-} ]]; then
			pending=-${word: -1}
		fi
	done
	for word in "${place[*]:0:2}" "${place[*]:0:1}"; do
		[[ -z $command && $word == [a-z]* && -n ${operands["$word"]-} ]] && command=$word
	done

	if [[ -n $pending ]]; then
		_chime_offer "${options["$command $pending"]-${takes["$pending"]}}" "$current" ''
	elif [[ -z $ended && $current == --*=* ]]; then
		word=${current%%=*}
		_chime_offer "${options["$command $word"]-${takes["$word"]-}}" "${current#*=}" \
			"$word="
	elif [[ -z $ended && $current == -* ]]; then
		for word in "${!options[@]}"; do
			[[ ${word% *} == "$command" || ${word% *} == '*' ]] || continue
			[[ ${word##* } != "$current"* ]] || COMPREPLY+=("${word##* }")
		done
	elif [[ -n $command ]]; then
		_chime_offer "${operands["$command"]}" "$current" ''
	elif [[ ${#place[@]} -lt 2 ]]; then
		head=${place[*]}${place[0]+ }
		for word in "${!operands[@]}"; do
			[[ $word == "$head$current"* ]] || continue
			word=${word#"$head"}
			[[ " ${COMPREPLY[*]} " == *" ${word%% *} "* ]] || COMPREPLY+=("${word%% *}")
		done
	fi

	# readline replaces only what is behind the last of its own ends of words; of a name with @,
	# while it completes hosts as well, from the @ on.
	if [[ -n $breaks && $current == *["$breaks"]* ]]; then
		head=${current%"${current##*["$breaks"]}"}
		if [[ $head == *@ ]] && shopt -q hostcomplete; then
			head=${head%@}
		fi
		COMPREPLY=("${COMPREPLY[@]#"$head"}")
	fi
}

complete -F _chime chime
