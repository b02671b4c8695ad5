#!/usr/bin/env bash
# soak.bash - the truth file for ten minutes, then once 8 servers with 500 jobs.
#
#	BUILD=build SOAK_SECONDS=600 bash tests/soak/soak.bash
#
# Prints what was proved and how often: n clean trials bound the failure rate at 3/n (95 %).

set -eu
cd "$(dirname "$0")/../e2e"
export BUILD
export TRUTH_SECONDS=${SOAK_SECONDS:-600} TRUTH_EVERY=${SOAK_EVERY:-3s}

bats --tap truth.bats scale.bats
