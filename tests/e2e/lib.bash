# lib.bash - environments for the end-to-end tests: N real servers on loopback or in namespaces.
#
# An environment lives in $T:
#	$T/ca				the throw-away authority
#	$T/jobs/*.yaml			one folder for all servers
#	$T/NAME/			identity, chimed.yaml, data, control.sock, pid of a server
#	$T/NAME.log			what it said
#	$T/alice, vera, paul, ada	an operator, a viewer, a planner, an admin: identity, chime.yaml
#	$T/out				where jobs write
#
# 1. Its name is its own (CHIME_ENVIRONMENT), so every process of it can be found and none else.
# 2. Nothing waits for a fixed time: wait_until polls a condition and fails loudly at its limit.
# 3. Group and ports are random; only loopback or own namespaces are used.

: "${BUILD:=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)/build}"
case $BUILD in
/*) ;;
*) BUILD=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)/$BUILD ;;
esac
export BUILD PATH="$BUILD:$PATH" LC_ALL=C.UTF-8 TZ=UTC
unset CHIME_VIA CHIME_CONFIG CHIME_SOCKET CHIME_TLS_CA CHIME_TLS_CERTIFICATE CHIME_TLS_KEY

# ---- making ----

free_port() {
	local port
	for _ in {1..100}; do
		port=$((20000 + RANDOM % 12000))
		if [[ -z $(ss -Hlntu "sport = :$port") ]] && ! grep -qsx "$port" "$T/ports"; then
			echo "$port" >>"$T/ports"
			echo "$port"
			return
		fi
	done
	echo "no free port" >&2
	return 1
}

# The variables of an environment, for tests that run in other shells than setup_file.
remember() {
	local name
	for name; do
		declare -p "$name" | sed 's/^declare --/export/; s/^declare -x/export/' >>"$T/env"
	done
}

# env_make SERVER... - makes the files of an environment; starts nothing.
env_make() {
	T=$(mktemp -d "${BATS_TMPDIR:-/tmp}/chime-e2e.XXXXXX")
	ENVIRONMENT=${ENVIRONMENT_NAME:-E2E-${T##*.}}
	SERVERS="$*"
	GROUP=239.255.$((RANDOM % 250 + 1)).$((RANDOM % 250 + 1))
	BUS_PORT=$(free_port)
	export T ENVIRONMENT SERVERS GROUP BUS_PORT
	remember ENVIRONMENT SERVERS GROUP BUS_PORT
	mkdir "$T/jobs" "$T/out"
	chmod 755 "$T"
	chime ca init --environment "$ENVIRONMENT" --dir "$T/ca" >/dev/null
	local name
	for name; do
		env_server "$name"
	done
	env_person alice operator
	env_person vera viewer
	env_person paul planner
	env_person ada admin
}

# env_server NAME - identity and configuration; its address may be given as ADDRESS, its interface
# as INTERFACE, more lines of chimed.yaml as MORE.
env_server() {
	local name=$1 port
	port=$(free_port)
	[[ -f $T/$name/id.key ]] ||
		chime ca issue --dir "$T/ca" --role server --name "$name" --out "$T/$name" >/dev/null
	cat >"$T/$name/chimed.yaml" <<-END
	environment: $ENVIRONMENT
	server: $name
	data: data
	jobs: ../jobs
	socket: control.sock
	timezone: UTC
	identity: {ca: ca.crt, certificate: id.crt, key: id.key}
	bus: {group: $GROUP, port: $BUS_PORT, interface: "${INTERFACE:-lo}", key: bus.key}
	control: {listen: "${ADDRESS:-127.0.0.1}:$port"}
	${MORE:-}
	END
	echo "${ADDRESS:-127.0.0.1}:$port" >"$T/$name/address"
}

env_person() {
	local name=$1 role=$2 server list=""
	chime ca issue --dir "$T/ca" --role "$role" --name "$name" --out "$T/$name" >/dev/null
	for server in $SERVERS; do
		list+="${list:+, }\"$(<"$T/$server/address")\""
	done
	cat >"$T/$name/chime.yaml" <<-END
	environment: $ENVIRONMENT
	identity: {ca: ca.crt, certificate: id.crt, key: id.key}
	servers: [$list]
	bus: {group: $GROUP, port: $BUS_PORT, interface: "${INTERFACE:-lo}"}
	END
}

# jobs_write FILE <text: the file, behind a document of defaults that lets root run it
jobs_write() {
	{
		printf 'defaults:\n  user: %s\n  dir: %s\n---\n' "$(id -un)" "$T/out"
		cat
	} >"$T/jobs/$1.new"
	mv "$T/jobs/$1.new" "$T/jobs/$1"
}

# ---- processes ----

server_pid() { cat "$T/$1/pid"; }
launcher_pid() { ps -o pid=,comm= --ppid "$(server_pid "$1")" | awk '$2 ~ /^chime-launcher/ {print $1}'; }

# Every process of a run of this environment, and every shepherd above one.
run_pids() {
	local p
	for p in /proc/[0-9]*; do
		if grep -qzsx "CHIME_ENVIRONMENT=$ENVIRONMENT" "$p/environ" 2>/dev/null; then
			echo "${p#/proc/}"
		fi
	done
	return 0
}

# job_pids JOB - processes of a job's runs
job_pids() {
	local p
	for p in $(run_pids); do
		if grep -qzsx "CHIME_JOB=$1" "/proc/$p/environ" 2>/dev/null; then
			echo "$p"
		fi
	done
	return 0
}

gone() { ! kill -0 "$1" 2>/dev/null || [[ $(ps -o stat= -p "$1") == Z* ]]; }

# server_launch NAME - starts, and does not wait. In namespaces when $T/NAME/netns is there.
server_launch() {
	local name=$1 in=()
	[[ -f $T/$name/netns ]] && in=(ip netns exec "$(<"$T/$name/netns")")
	"${in[@]}" "$BUILD/chimed" --config "$T/$name/chimed.yaml" >>"$T/$name.log" 2>&1 </dev/null \
		3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
	echo $! >"$T/$name/pid"
	disown
}

# server_start NAME... - starts, and waits until each answers.
server_start() {
	local name
	for name; do server_launch "$name"; done
	for name; do wait_until 15 "$name answers" on "$name" server ls; done
}

# server_kill NAME [SIGNAL] - and waits for its end; its launcher ends with it.
server_kill() {
	local pid launcher
	pid=$(server_pid "$1") launcher=$(launcher_pid "$1")
	kill "-${2:-KILL}" "$pid"
	wait_until 15 "chimed of $1 ends" gone "$pid"
	[[ -z $launcher ]] || wait_until 15 "the launcher of $1 ends" gone "$launcher"
}

# env_up SERVER... - makes, starts, waits until all know all.
env_up() {
	env_make "$@"
	# shellcheck disable=SC2046
	[[ -t 0 ]] || cat >"$T/first"
	[[ ! -s $T/first ]] || jobs_write chain.yaml <"$T/first"
	server_start "$@"
	env_together
}

env_together() {
	local name
	for name in $SERVERS; do
		wait_until 20 "$name hears all" hears "$name" "$(wc -w <<<"$SERVERS")"
	done
}
hears() { [[ $(json "$1" server ls '[.servers[] | select(.state == "UP")] | length') == "$2" ]]; }

# env_down - ends every process of the environment and removes it. CHIME_E2E_KEEP=1 leaves the files.
env_down() {
	local name pid
	[[ -n ${T:-} && -d $T ]] || return 0
	for name in $SERVERS; do
		[[ -f $T/$name/pid ]] || continue
		pid=$(server_pid "$name")
		gone "$pid" || [[ $(readlink "/proc/$pid/exe") != "$BUILD"/* ]] || kill "$pid"
	done
	for name in $SERVERS; do
		[[ -f $T/$name/pid ]] && wait_until 15 "$name ends" gone "$(server_pid "$name")"
	done
	for pid in $(run_pids); do kill -KILL "$pid" 2>/dev/null || true; done
	net_down
	[[ -n ${CHIME_E2E_KEEP:-} ]] || rm -rf "$T"
}

# ---- asking ----

# on SERVER ARGS... - chime over the server's own socket
on() {
	local name=$1
	shift
	chime --via "$T/$name/control.sock" "$@"
}

# as PERSON SERVER ARGS... - chime over mTLS with the person's certificate
as() {
	local who=$1 name=$2
	shift 2
	chime --config "$T/$who/chime.yaml" --via "$(<"$T/$name/address")" "$@"
}

# json SERVER ARGS... FILTER - the answer through jq
json() {
	local name=$1
	shift
	on "$name" "${@:1:$#-1}" --json | jq -r "${*: -1}"
}

# runs SERVER JOB [STATE] - how many runs of JOB (name@server) that server lists
runs() {
	json "$1" runs "$2" --limit 10000 \
		"[.runs[] | select(\"${3:-}\" == \"\" or .state == \"${3:-}\")] | length" 2>/dev/null ||
		echo 0
}
has_runs() { (($(runs "$1" "$2" "${4:-}") >= $3)); }
last_state() { json "$1" runs "$2" --limit 1 '.runs[0].state // "none"'; }
last_is() { [[ $(last_state "$1" "$2") == "$3" ]]; }

# wait_run SERVER JOB STATE [LIMIT] - until the newest run of JOB there is in STATE
wait_run() { wait_until "${4:-15}" "$2 is $3 on $1" last_is "$1" "$2" "$3"; }

# kinds SERVER FILTER - events through jq, each as .server .seq .kind .job .run .by .reason .body
events() { json "$1" events --limit 10000 ".events[] | $2"; }

# Do all servers hold the same log, to its end?
same_logs() {
	local name first="" now
	for name in $SERVERS; do
		now=$(json "$name" events --limit 10000 \
			'[.events[] | [.server, .seq, .kind, .run, .body]] | sort | tostring' | sha256sum)
		[[ -z $first || $now == "$first" ]] || return 1
		first=$now
	done
}

# ---- waiting ----

# wait_until SECONDS WHAT COMMAND... - polls; a failure shows what was waited for and the logs' ends
wait_until() {
	local limit=$1 what=$2 end
	shift 2
	end=$((${EPOCHREALTIME/./} + limit * 1000000))
	until "$@" >/dev/null 2>&1; do
		if ((${EPOCHREALTIME/./} > end)); then
			echo "not within ${limit}s: $what" >&2
			tail -n 8 "$T"/*.log >&2
			return 1
		fi
		sleep 0.03
	done
}

file_has() { grep -qs -- "$2" "$1"; }
lines_are() { [[ -f $1 ]] && (($(wc -l <"$1") == $2)); }

# refuses CODE COMMAND... - the command must end with that code; its words are in $output
refuses() {
	local want=$1
	shift
	run "$@"
	if [[ $status -ne $want ]]; then
		echo "exit $status, not $want: $*" >&2
		echo "$output" >&2
		return 1
	fi
}
says() {
	[[ $output == *"$1"* ]] || {
		echo "does not say '$1': $output" >&2
		return 1
	}
}

# ---- networks ----

need_root() { [[ $(id -u) -eq 0 ]] || skip "needs root: network namespaces"; }

# net_make SERVER... - one namespace each on a bridge; the next env_server gets its place in it.
# Drops are independent, as on real machines.
net_make() {
	NET=ce$RANDOM
	export NET
	ip netns add "$NET-br"
	ip -n "$NET-br" link add br0 type bridge mcast_snooping 0
	ip -n "$NET-br" link set br0 up
	ip -n "$NET-br" link set lo up
	local name i=1
	for name; do
		ip netns add "$NET-$name"
		ip -n "$NET-$name" link set lo up
		ip -n "$NET-$name" link add eth0 type veth peer name "p$i" netns "$NET-br"
		ip -n "$NET-br" link set "p$i" master br0 up
		ip -n "$NET-$name" addr add "10.77.0.$i/24" dev eth0
		ip -n "$NET-$name" link set eth0 up
		ip -n "$NET-$name" route add 224.0.0.0/4 dev eth0
		i=$((i + 1))
	done
}

# env_make_net SERVER... - env_make with every server in its own namespace
env_make_net() {
	local name i=1
	net_make "$@"
	INTERFACE=eth0 env_make "$@"
	echo "$NET" >"$T/net"
	for name; do
		echo "$NET-$name" >"$T/$name/netns"
		ADDRESS=10.77.0.$i INTERFACE=eth0 env_server "$name"
		i=$((i + 1))
	done
}

# net_drop SERVER PERCENT - of the bus datagrams that reach it; 0 ends it
net_drop() {
	local ns match="numgen random mod 100 < $2"
	ns=$(<"$T/$1/netns")
	(($2 < 100)) || match=""
	ip netns exec "$ns" nft delete table inet chime_drop 2>/dev/null || true
	(($2 == 0)) || ip netns exec "$ns" nft -f - <<-END
	table inet chime_drop {
		chain in {
			type filter hook input priority 0;
			udp dport $BUS_PORT $match counter drop
		}
	}
	END
}

net_down() {
	local ns
	[[ -f $T/net ]] || return 0
	for ns in $(ip netns list | awk '{print $1}' | grep "^$(<"$T/net")-"); do
		ip netns delete "$ns"
	done
}
