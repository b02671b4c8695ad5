# truth.bash - the truth file under faults (lib.bash is loaded): jobs, faults, collecting, comparing.

TRUTH_DIR=$(dirname "${BASH_SOURCE[0]}")

# truth_jobs EVERY - 30 jobs for alpha, bravo, charlie: six sources, two steps behind each,
# six fan-ins of two neighbours, one step behind each. Writes $T/after too.
truth_jobs() {
	local i s=(alpha bravo charlie) next
	: >"$T/after"
	{
		for ((i = 0; i < 6; i++)); do
			next=$(((i + 1) % 6))
			cat <<-END
			job: s$i
			server: ${s[i % 3]}
			every: $1
			overlap: queue 3
			run: [$BUILD/truth, $T/truth, "$((i * 20))"]
			---
			job: m$i
			server: ${s[(i + 1) % 3]}
			after: success(s$i@${s[i % 3]})
			run: [$BUILD/truth, $T/truth, "10"]
			---
			job: e$i
			server: ${s[(i + 2) % 3]}
			after: success(m$i@${s[(i + 1) % 3]})
			run: [$BUILD/truth, $T/truth, "0", "$((i == 5 ? 7 : 0))"]
			---
			job: j$i
			server: ${s[(i + 2) % 3]}
			after: success(s$i@${s[i % 3]}) and success(s$next@${s[next % 3]})
			run: [$BUILD/truth, $T/truth, "5"]
			---
			job: t$i
			server: ${s[i % 3]}
			after: success(j$i@${s[(i + 2) % 3]})
			run: [$BUILD/truth, $T/truth]
			---
			END
			cat >>"$T/after" <<-END
			m$i@${s[(i + 1) % 3]} s$i@${s[i % 3]}
			e$i@${s[(i + 2) % 3]} m$i@${s[(i + 1) % 3]}
			j$i@${s[(i + 2) % 3]} s$i@${s[i % 3]} s$next@${s[next % 3]}
			t$i@${s[i % 3]} j$i@${s[(i + 2) % 3]}
			END
		done
	} | sed '$d' | jobs_write truth.yaml
}

# truth_faults SECONDS - random kill -9 of chimed, launcher or both, a random time down, a restart
truth_faults() {
	local end name pid launcher kills=0 names
	read -ra names <<<"$SERVERS"
	end=$((SECONDS + $1))
	while ((SECONDS < end)); do
		name=${names[RANDOM % ${#names[@]}]}
		pid=$(server_pid "$name") launcher=$(launcher_pid "$name")
		case $((RANDOM % 3)) in
		0) kill -KILL "$pid" || true ;;
		1) kill -KILL ${launcher:+"$launcher"} || true ;;
		2) kill -KILL "$pid" ${launcher:+"$launcher"} || true ;;
		esac 2>/dev/null
		kills=$((kills + 1))
		wait_until 15 "chimed of $name ends" gone "$pid" || return 1
		# Most come back at once, some stay away.
		sleep "$((RANDOM % 5 == 0 ? RANDOM % 3 : 0)).$((RANDOM % 10))"
		server_launch "$name"
		sleep "0.$((RANDOM % 10))"
	done
	for name in $SERVERS; do
		gone "$(server_pid "$name")" && server_launch "$name"
	done
	for name in $SERVERS; do
		wait_until 30 "$name answers" on "$name" server ls || return 1
	done
	echo "$kills" >"$T/kills"
}

# truth_ran SERVERS... - the log of each as one server has it, in pages
truth_log() {
	local from=1 page
	while :; do
		page=$(on "$1" events --server "$2" --from "$from" --limit 5000 --json |
			jq -r '.events[] | [.server, .seq, .kind, (.job // "-"), (.run // 0),
				(.body.state // "-"), (.body.exit_code // "-")] | @tsv') || return 1
		[[ -n $page ]] || break
		echo "$page"
		from=$(($(tail -n 1 <<<"$page" | cut -f2) + 1))
	done
}

truth_open() { json "$1" runs --limit 10000 '[.runs[] | select(.ended == null)] | length'; }

# Nothing runs, nothing waits, all hold the same log to its end.
truth_quiet() {
	local name other
	for name in $SERVERS; do
		[[ $(truth_open "$name") == 0 ]] || return 1
	done
	# shellcheck disable=SC2086
	for name in $SERVERS; do
		other=$(json "$name" server ls '[.servers[] | [.server, .seq, .known_seq]] | sort | tostring')
		[[ $other == "${first:=$other}" ]] || { unset first; return 1; }
	done
	unset first
	[[ $(jq 'map(select(.[1] != .[2])) | length' <<<"$other") == 0 ]]
}

# truth_check [lost=1] - collects what all say and compares
truth_check() {
	local name of args=()
	for name in $SERVERS; do
		for of in $SERVERS; do
			truth_log "$name" "$of"
		done >"$T/log-$name"
		json "$name" runs --limit 10000 '.runs[] | [.server, .run, .job, .state,
			(.exit // "-"), .cause, .cycle, ((.proofs | sort | join(",")) | if . == "" then "-" else . end)]
			| @tsv' >"$T/runs-$name"
		args+=("by=$name" "$T/runs-$name")
		cmp "$T/log-$name" "$T/log-${SERVERS%% *}" || {
			echo "VIOLATION P10 the logs of $name and ${SERVERS%% *} differ"
			diff "$T/log-$name" "$T/log-${SERVERS%% *}" | head -n 20
			return 1
		}
	done
	awk -F '\t' 'NR == FNR { cycle[$1 ":" $2] = $7; next }
		$3 == "run.ended" { print $1, $2, $4, $5, $6, cycle[$1 ":" $5] }' \
		"$T/runs-${SERVERS%% *}" "$T/log-${SERVERS%% *}" >"$T/ended"
	echo "truth: $(cat "$T/kills" 2>/dev/null || echo 0) kills"
	awk -v "${1:-lost=0}" -f "$TRUTH_DIR/check.awk" kind=truth "$T/truth" kind=after "$T/after" \
		kind=ended "$T/ended" kind=runs "${args[@]}"
}
