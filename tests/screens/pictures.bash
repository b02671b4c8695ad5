#!/bin/bash
# pictures.bash - the monitor's pictures of the README, from a real run of three servers here.
#
#	make pictures        writes man/pictures/*.png and the same as text
set -eu

here=$(cd "$(dirname "$0")" && pwd)
BATS_TEST_DIRNAME=$here/../e2e
OUT=${1:-$here/../../man/pictures}
. "$BATS_TEST_DIRNAME/lib.bash"
. "$BATS_TEST_DIRNAME/tmux.bash"
export TZ=Europe/Berlin
trap 'mon_stop; env_down' EXIT

ENVIRONMENT_NAME=PROD env_make db1 app1 nas1
jobs_write all.yaml <<'END'
job: ref/prices
server: db1
every: 1h
run: [sleep, "0.4"]
---
job: eod/extract
about: Takes the trades of the day out of the book
server: db1
run: [sleep, "1.1"]
---
job: eod/load-positions
about: Loads the positions; refuses when totals differ
server: db1
after: success(eod/extract)
run: |
  echo "loaded 1204112 rows"
  echo "checking totals"
  sleep 0.7
  echo "total mismatch: book 7731 differs by 0.02" >&2
  echo "refusing to commit (see --tolerance)" >&2
  exit 3
---
job: eod/report
server: app1
after: success(eod/load-positions@db1) and success(eod/extract@db1)
run: [sleep, "1"]
---
job: eod/mail
server: app1
after: success(eod/report)
run: [true]
---
job: eod/archive
server: nas1
after: success(eod/report@app1)
run: [true]
---
job: backup/home
server: nas1
run: [sleep, "600"]
---
job: web/cert-check
server: app1
every: 30m
run: [sh, -c, "exit 1"]
---
job: log/ship
server: app1
every: 5s
run: [sleep, "0.2"]
---
job: risk/var
server: nas1
after: success(eod/load-positions@db1)
run: [true]
END
server_start db1 app1 nas1
env_together
on db1 start --yes --expect 2 ref/prices eod/extract >/dev/null
on app1 start web/cert-check >/dev/null
on nas1 start backup/home >/dev/null
on nas1 hold --yes --reason 'disk swap' eod/archive@nas1 >/dev/null
wait_run db1 eod/load-positions@db1 FAILED
wait_run app1 web/cert-check@app1 FAILED

mkdir -p "$OUT"
# picture NAME - what the terminal shows now
picture() {
	# What was just said lies over the line of keys for a while.
	mon_shows '.Help|Enter or Tab'
	tm capture-pane -epN -t m >"$T/screen"
	mon_screen >"$OUT/$1.txt"
	"$here/render.sh" "$T/screen" "$OUT/$1.png" "chime monitor"
}
press() {
	local key
	for key; do mon_keys "$key"; sleep 0.2; done
}

MON_ENV="TZ=$TZ" mon_start 100x28 xterm-256color C.UTF-8 --config "$T/alice/chime.yaml"
mon_shows 'LIVE group'
mon_shows 'FA eod/load-positions'
mon_shows 'SU log/ship'
mon_keys F3
mon_type 'eod/report'
mon_keys Enter
mon_shows '>.*eod/report'
mon_shows 'eod/report@app1 .*needs'
picture jobs
press a f
mon_shows 'NOT MET'
mon_type 'INC-4711 agreed with the risk desk'
mon_shows 'risk desk'
picture force
press Escape
mon_shows '.Help'
press F3
mon_type 'eod/load'
press Enter Enter
mon_shows 'refusing to commit'
picture job
press Escape 5
mon_shows 'run.ended'
picture events
press 4
mon_shows 'nas1'
picture servers
ls "$OUT"
