#!/usr/bin/env bats
# access.bats - who may do what, and what both sides are told of a refusal.
# bats file_tags=e2e

bats_require_minimum_version 1.5.0
load lib.bash

setup_file() {
	env_up alpha bravo <<-'END'
	job: load
	server: alpha
	run: "true"
	END
	# Another authority with the same names; a certificate that has ended; an intruder's server.
	chime ca init --environment "$ENVIRONMENT" --dir "$T/other-ca" >/dev/null
	chime ca issue --dir "$T/other-ca" --role admin --name alice --out "$T/mallory" >/dev/null
	chime ca issue --dir "$T/ca" --role operator --name olaf --out "$T/olaf" \
		--until 2020-01-01T00:00:00Z >/dev/null
	cp "$T/alice/chime.yaml" "$T/mallory/"
	cp "$T/alice/chime.yaml" "$T/olaf/"
	cp "$T/alice/chime.yaml" "$T/bravo/chime.yaml"
	# He trusts the right authority and shows a certificate of his own.
	cp "$T/ca/ca.crt" "$T/mallory/ca.crt"
}
teardown_file() { env_down; }

# Words of the refusal in the server's own log.
logged() { wait_until 5 "'$2' in the log of $1" file_has "$T/$1.log" "$2"; }

@test "no certificate: refused, exit 5 or 4, and the client is told what it lacks" {
	printf 'environment: %s\nservers: ["%s"]\n' "$ENVIRONMENT" "$(<"$T/alpha/address")" \
		>"$T/bare.yaml"
	run chime --config "$T/bare.yaml" --via "$(<"$T/alpha/address")" ls
	[[ $status == [245] ]]
	says "certificate"
	# On the wire: a handshake without one ends before any command.
	run openssl s_client -connect "$(<"$T/alpha/address")" -CAfile "$T/ca/ca.crt" -tls1_3 \
		-ign_eof </dev/null
	says "certificate required"
	logged alpha "certificate"
}

@test "TLS 1.2 is not spoken" {
	run openssl s_client -connect "$(<"$T/alpha/address")" -tls1_2 \
		-cert "$T/alice/id.crt" -key "$T/alice/id.key" </dev/null
	says "protocol version"
}

@test "a certificate of another authority: exit 4, both sides say why" {
	refuses 4 as mallory alpha ls
	says "another CA"
	logged alpha "refused"
}

@test "an expired certificate: exit 4, both sides say it has ended" {
	refuses 4 as olaf alpha ls
	says "expired"
	# At most one refusal a second is told, so that nobody can fill the log.
	wait_until 5 "it is in the log of alpha" olaf_is_logged
}

olaf_is_logged() {
	as olaf alpha ls || true
	file_has "$T/alpha.log" 'control.refused.*expired'
}

@test "a server of another authority: exit 5, the client refuses it before saying anything" {
	cp "$T/other-ca/ca.crt" "$T/olaf/wrong-ca.crt"
	CHIME_TLS_CA=$T/olaf/wrong-ca.crt CHIME_TLS_CERTIFICATE=$T/mallory/id.crt \
		CHIME_TLS_KEY=$T/mallory/id.key \
		refuses 5 chime --config "$T/mallory/chime.yaml" --via "$(<"$T/alpha/address")" ls
	says "why:"
}

@test "a viewer looks and may not start: exit 4, names role and need" {
	as vera alpha ls
	refuses 4 as vera alpha start --force --yes --reason r load@alpha
	says "viewer"
	says "operator"
	for command in "kill --yes load@alpha" "hold --yes load@alpha" "release --yes load@alpha" reload
	do
		# shellcheck disable=SC2086
		refuses 4 as vera alpha $command
	done
	[ "$(runs alpha load@alpha)" = 0 ]
}

@test "an operator may not reload, a planner may; an admin may act" {
	refuses 4 as alice alpha reload
	says "planner"
	as paul alpha reload
	as ada alpha start --wait --yes --reason r load@alpha
}

@test "a server's certificate is no person's: looking and starting are refused with exit 4" {
	refuses 4 as bravo alpha ls
	refuses 4 as bravo alpha start --force --yes --reason r load@alpha
	says "server"
}

@test "a refused command is an event with the identity that tried" {
	refuses 4 as vera alpha start --force --yes --reason r load@alpha
	wait_until 10 "bravo hears of it" vera_refused
}
vera_refused() {
	[[ -n $(events bravo 'select(.kind == "command.refused" and .server == "alpha") | .by // .body.who // .body.actor' | grep -x vera) ]]
}

@test "keys that others can read are refused at load" {
	chmod 644 "$T/vera/id.key"
	run as vera alpha ls
	chmod 600 "$T/vera/id.key"
	[ "$status" -ne 0 ]
	says "id.key"
}

@test "--via another server's address under a wrong name: exit 5" {
	refuses 5 chime --config "$T/alice/chime.yaml" --via delta --timeout 2s ls
	says delta
}

@test "a server whose certificate has ended is refused by the others and runs its own jobs" {
	server_kill bravo TERM
	chime ca issue --dir "$T/ca" --role server --name bravo --out "$T/expired" \
		--until 2020-01-01T00:00:00Z >/dev/null
	cp "$T/expired/id.crt" "$T/expired/id.key" "$T/bravo/"
	server_start bravo
	file_has "$T/bravo.log" "expired\|ended"
	refuses 5 as alice bravo ls
	says "why:"
}
