# try.zsh - a .zshrc: writes what zsh would offer for each line of $LINES_FILE to $OUT ("= LINE", then
# an offer a line), and ends. The script is the function _chime in $SCRIPTS.
fpath=($SCRIPTS $fpath)
autoload -Uz compinit
compinit -D -u
zmodload zsh/datetime
LISTMAX=-1
setopt no_list_beep no_beep

# What is added is noted; questions about what would be added are not.
compadd() {
	local -a hits
	if [[ ${argv[(r)-[OAD]]} != '' ]]; then
		builtin compadd "$@"
		return
	fi
	builtin compadd -A hits "$@"
	(( $#hits )) && print -rl -- $hits >>$OUT
	builtin compadd "$@"
}

zle-line-init() {
	local line start
	while IFS= read -r line; do
		print -r -- "= $line" >>$OUT
		BUFFER=$line CURSOR=$#line
		start=$EPOCHREALTIME
		zle list-choices
		[[ -z $TIMES ]] ||
			printf "zsh: '%s' %.0f us\n" $line $(( (EPOCHREALTIME - start) * 1e6 )) >>$TIMES
	done <$LINES_FILE
	BUFFER=exit
	zle accept-line
}
zle -N zle-line-init
