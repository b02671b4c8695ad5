# tmux.bash - the monitor in a terminal that can be read: tmux with a server of its own.
#
# mon_start SIZE TERM LOCALE [ARGUMENTS...] opens it, mon_screen prints what is seen, mon_keys types,
# mon_shows PATTERN waits for it. mon_stop ends everything.

MON_SOCKET=chime-test-$$

tm() { tmux -L "$MON_SOCKET" -f /dev/null "$@"; }

# mon_start 80x24 xterm-256color C.UTF-8 [chime's arguments]; MON_ON: a command in front (ip netns ...)
mon_start() {
	local size=$1 term=$2 locale=$3
	shift 3
	mon_stop
	# A server that is just ending would take the new session with it.
	MON_SOCKET=chime-test-$$-$RANDOM
	# The shell stays, so that what the terminal looks like afterwards can be seen too.
	tm new-session -d -s m -x "${size%x*}" -y "${size#*x}" \
		"env -u NO_COLOR PS1='after> ' TERM=dumb sh"
	tm set -g status off
	tm set -g remain-on-exit on
	# shellcheck disable=SC2086
	mon_type "stty -echo; clear; LC_ALL=$locale TERM=$term ${MON_ENV-} ${MON_ON-} $BUILD/chime $(printf '%q ' "$@")monitor ${MON_ARGS-}; echo \"ended \$?\""
	mon_keys Enter
}
mon_screen() { tm capture-pane -p -t m; }
mon_colors() { tm capture-pane -e -p -t m; }
mon_keys() { tm send-keys -t m "$@"; }
mon_type() { tm send-keys -t m -l "$1"; }
mon_size() { tm resize-window -t m -x "${1%x*}" -y "${1#*x}"; }
mon_pid() { pgrep -P "$(tm display-message -p -t m '#{pane_pid}')" -x chime; }
mon_stop() { tm kill-server 2>/dev/null || true; }

# mon_shows PATTERN [SECONDS] - extended regular expression over the whole screen
mon_shows() {
	local end=$((SECONDS + ${2:-15})) seen
	while :; do
		seen=$(mon_screen)
		if grep -Eq -- "$1" <<<"$seen"; then return 0; fi
		((SECONDS < end)) || break
		sleep 0.05
	done
	echo "not seen: $1" >&2
	echo "$seen" >&2
	return 1
}
mon_hides() {
	local end=$((SECONDS + ${2:-15}))
	while mon_screen | grep -Eq -- "$1"; do
		((SECONDS < end)) || { mon_screen >&2; return 1; }
		sleep 0.05
	done
}
