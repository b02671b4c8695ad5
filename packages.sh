#!/bin/sh
# packages.sh - the one list of what chime needs from the system, for building and for its tests.
#
#	sh packages.sh list       every package
#	sh packages.sh missing    those that are not installed; status 1 when there are any
#	sh packages.sh install    says the one line that installs them, and runs it
#
# Debian's names (12 and later) and those who follow it. On other systems the list is printed and
# the build goes on when pkg-config knows the libraries.
#
# shellcheck disable=SC2086  # lists are meant to be split into words
set -eu

build='gcc libc6-dev make pkg-config binutils libssl-dev libprotobuf-c-dev
	protobuf-c-compiler libsqlite3-dev libpcap-dev libncurses-dev libevent-dev uthash-dev
	libyaml-dev libjansson-dev libsmartcols-dev'
# Used when jobs run and in demo and tests.
run='tzdata openssl sqlite3 procps util-linux iproute2'
tests='clang libclang-rt-14-dev libcmocka-dev bats tmux mandoc shellcheck nftables jq
	bash-completion zsh fish tshark librsvg2-bin fonts-dejavu-core'
modules='openssl libprotobuf-c sqlite3 libevent_core yaml-0.1 jansson smartcols libpcap ncursesw
	cmocka'

list() {
	printf '%s\n' $build $run $tests | sort
}

# Debian names the compiler's runtime by its version; any one of clang's own will do.
same_as() {
	case $1 in
	libclang-rt-14-dev) echo 'libclang-rt-*-dev' ;;
	pkg-config) echo 'pkg-config pkgconf' ;;
	*) echo "$1" ;;
	esac
}

is_installed() {
	for other in $(same_as "$1"); do
		if dpkg-query -W -f '${Status}\n' "$other" 2>/dev/null | grep -q '^install ok'; then
			return 0
		fi
	done
	return 1
}

missing() {
	for name in $(list); do
		is_installed "$name" || echo "$name"
	done
}

# Another release has another clang, and a runtime of its version.
names_here() {
	for name in "$@"; do
		if [ "$name" = libclang-rt-14-dev ] &&
			! apt-cache show "$name" >/dev/null 2>&1; then
			version=$(apt-cache depends clang 2>/dev/null |
				sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | head -n 1)
			name=${version:+libclang-rt-$version-dev}
		fi
		[ -z "$name" ] || echo "$name"
	done
}

fail() {
	printf 'packages: %s\n' "$1" >&2
	[ -z "${2-}" ] || printf 'try:      %s\n' "$2" >&2
	exit 1
}

elsewhere() {
	for module in $modules; do
		pkg-config --exists "$module" 2>/dev/null || lacking="${lacking-} $module"
	done
	[ -n "${lacking-}" ] || return 0
	echo "packages: this system has no dpkg; chime needs what Debian calls" >&2
	list | paste -sd' ' | fold -s -w 90 | sed 's/^/    /' >&2
	fail "pkg-config does not find:$lacking" "install them with this system's own tool"
}

confirm() {
	if ! [ -t 0 ] || ! [ -t 2 ]; then
		return 0
	fi
	printf 'run this now? [Y/n] ' >&2
	read -r answer || answer=n
	case $answer in
	'' | [yY]*) return 0 ;;
	*) return 1 ;;
	esac
}

install() {
	if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
		elsewhere
		return
	fi
	names=$(missing | paste -sd' ')
	[ -n "$names" ] || return 0
	names=$(names_here $names | paste -sd' ')
	set -- env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $names
	if [ "$(id -u)" -ne 0 ]; then
		set -- sudo "$@"
	fi
	echo "packages: these are missing: $names" >&2
	echo "    $*" >&2
	if [ "$1" = sudo ] && ! command -v sudo >/dev/null; then
		fail 'there is no sudo here' 'run the line above as root, without sudo'
	fi
	confirm || fail 'nothing was installed' 'run the line above yourself'
	# A fresh machine or image has no index yet; stale ones name files that are gone.
	if "$@" >&2; then
		return 0
	fi
	echo 'packages: that failed; once more with a new index' >&2
	if [ "$1" = sudo ]; then
		sudo apt-get update >&2 || true
	else
		apt-get update >&2 || true
	fi
	"$@" >&2 || fail 'the packages could not be installed, see above' "$*"
}

case ${1-install} in
list) list ;;
missing)
	command -v dpkg-query >/dev/null || fail 'only where there is dpkg' 'sh packages.sh list'
	names=$(missing)
	[ -z "$names" ] || { echo "$names"; exit 1; }
	;;
install) install ;;
*) fail "there is no '$1'" 'sh packages.sh list | missing | install' ;;
esac
