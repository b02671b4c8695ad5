# check.awk - compares what test jobs wrote with what every server lists.
#
#	awk -f check.awk kind=truth truth.txt kind=after after.txt kind=ended ended.tsv \
#		kind=runs by=alpha runs-alpha.tsv by=bravo runs-bravo.tsv ...
#
# truth	RUN ATTEMPT SERVER JOB PID MICROSECONDS start|end EXIT
# after	JOB@SERVER PRODUCER@SERVER...			consumers; all atoms are success()
# ended	SERVER SEQ JOB RUN STATE CYCLE			run.ended events
# runs	SERVER RUN JOB STATE EXIT CAUSE CYCLE PROOFS	PROOFS = "-" or SERVER:SEQ,...
#
# 1. P5	no (run, attempt) started twice, no start without a run, no result without its process.
# 2. P1	what a run ended with is what the process did; with lost=1 a run may be LOST.
# 3. P10	every server lists the same runs with the same results.
# 4. P19	each consumer's run has a cause, earlier in time; no two runs of a job have the same; the
#	newest success of every producer of a cycle was seen by a run of its consumers.

function wrong(text) {
	if (++violations <= 50)
		print "VIOLATION " text
}

kind == "truth" {
	id = $3 ":" $1
	if ($7 == "start") {
		if (++starts[id, $2] > 1)
			wrong("P5 " $4 "@" $3 " run " $1 " attempt " $2 " started " starts[id, $2] " times")
		total_starts++
		truth_job[id] = $4
		if (!(id in started) || $6 < started[id])
			started[id] = $6
	} else {
		ended[id] = $6
		code[id] = $8
	}
}

kind == "after" {
	consumer[$1] = NF - 1
	for (i = 2; i <= NF; i++)
		producer[$1, i - 1] = $i
}

kind == "ended" {
	event_run[$1 ":" $2] = $1 ":" $4
	event_state[$1 ":" $2] = $5
	event_job[$1 ":" $2] = $3 "@" $1
	if ($5 == "SUCCESS" && $2 + 0 > newest[$3 "@" $1, $6] + 0) {
		newest[$3 "@" $1, $6] = $2
		newest_id[$3 "@" $1, $6] = $1 ":" $2
		cycles[$6] = 1
	}
}

kind == "runs" {
	id = $1 ":" $2
	servers[by] = 1
	listed[by]++
	line[by, id] = $0
	if (!(id in run)) {
		run[id] = $0
		run_count++
	} else if (run[id] != $0)
		wrong("P10 servers differ: " by ": " $0 " / another: " run[id])
	if (!(id in checked)) {
		checked[id] = 1
		check_run(id, $3, $4, $5, $6, $7, $8)
	}
}

function check_run(id, job, state, exit_code, cause, cycle, proofs,    n, list, i, name, p, k, found) {
	states[state]++
	name = job "@" substr(id, 1, index(id, ":") - 1)
	if (state == "SUCCESS" || state == "FAILED") {
		if (!(id in started) || !(id in ended))
			wrong("P5 " name " run " id " is " state " but its process did not run to its end")
		else if (code[id] != exit_code)
			wrong("P1 " name " run " id " exit " exit_code ", its process ended with " code[id])
	} else if (state == "LOST") {
		if (!lost)
			wrong("P1 " name " run " id " is LOST though no shepherd was killed")
	} else if (state != "KILLED" && state != "TIMEOUT" && id in started) {
		wrong("P5 " name " run " id " is " state " but its process ran")
	}
	if (id in truth_job && truth_job[id] != job)
		wrong("P5 run " id " is of " job ", its process was of " truth_job[id])
	if (cause != "condition")
		return
	consumers++
	n = split(proofs, list, ",")
	if (proofs == "-" || n == 0) {
		wrong("P19 " name " run " id " has no cause")
		return
	}
	if ((name, proofs) in caused)
		wrong("P19 " name " runs " caused[name, proofs] " and " id " have one cause: " proofs)
	caused[name, proofs] = id
	for (i = 1; i <= n; i++) {
		p = list[i]
		if (!(p in event_run)) {
			wrong("P19 " name " run " id ": its proof " p " is no run.ended event")
			continue
		}
		found = 0
		for (k = 1; k <= consumer[name]; k++)
			found = found || producer[name, k] == event_job[p]
		if (!found || event_state[p] != "SUCCESS")
			wrong("P19 " name " run " id ": its proof " p " is " event_job[p] " " event_state[p])
		if (id in started && event_run[p] in ended && ended[event_run[p]] > started[id])
			wrong("P4 " name " run " id " started before its producer " event_run[p] " ended")
		seen[name, p] = id
	}
}

END {
	for (id in run)
		for (by in servers)
			if (!((by, id) in line))
				wrong("P10 " by " does not list run " id ": " run[id])
	for (id in started)
		if (!(id in run))
			wrong("P5 a process of " truth_job[id] " ran as " id ", which no server lists")
	for (name in consumer)
		for (cycle in cycles) {
			complete = 1
			for (k = 1; k <= consumer[name]; k++)
				complete = complete && ((producer[name, k], cycle) in newest_id)
			for (k = 1; complete && k <= consumer[name]; k++)
				if (!((name, newest_id[producer[name, k], cycle]) in seen))
					wrong("P19 " name ": no run saw " newest_id[producer[name, k], cycle] \
						" of " producer[name, k] ", cycle " cycle)
		}
	for (by in servers)
		server_count++
	printf "truth: %d servers list %d runs, %d made by conditions; %d processes; ", server_count,
		run_count, consumers, total_starts
	for (state in states)
		printf "%d %s, ", states[state], state
	print violations + 0 " violations"
	# Nothing proved is no proof.
	exit violations > 0 || total_starts == 0 || consumers == 0 || server_count < 2
}
