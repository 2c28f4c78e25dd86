#!/usr/bin/env bash
# The main figures of this machine, whole programs from outside: each line is the median of RUNS (3).
# Numbers of different machines, or of one machine at different times, say little; ratios in one run do.
#     tests/bench/pipeline.sh BIN [TICKS]
set -euo pipefail
export PATH="$1:$PATH"
ticks=${2:-4000000}
runs=${RUNS:-3}
work=$(mktemp -d "${TMPDIR:-/tmp}/tapedeck-bench.XXXXXX")
TAPEDECK_RINGS=$(mktemp -d /dev/shm/tapedeck-bench.XXXXXX)
export TAPEDECK_RINGS
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work" "$TAPEDECK_RINGS"' EXIT

measure() { # WHAT COMMAND...: median seconds of a function that works on $ticks ticks
    local what=$1 i t0 t1 times=()
    shift
    for ((i = 0; i < runs; i++)); do
        t0=$(date +%s%N)
        "$@"
        t1=$(date +%s%N)
        times+=($((t1 - t0)))
    done
    local median
    median=$(printf '%s\n' "${times[@]}" | sort -n | sed -n "$(((runs + 1) / 2))p")
    awk -v what="$what" -v n="$ticks" -v ns="$median" \
        'BEGIN { printf "%-44s %8.3f s  %8.2f M ticks/s\n", what, ns / 1e9, n / ns * 1e3 }'
}

through_ring() {
    tapedeck -q drain a -o none --count "$ticks" &
    tapedeck -q gen --ring a --count "$ticks" --size-dist fixed:64
    wait $!
}
record() { # SYNC
    rm -rf "$work/tape"
    tapedeck-recorder -q --tape "$work/tape" --ring a --sync "$1" 2>"$work/log" &
    local recorder=$!
    until grep -q '^ready' "$work/log"; do sleep 0.01; done
    tapedeck -q gen --ring a --count "$ticks" --size-dist market
    kill -TERM $recorder
    wait $recorder
}
replay() {
    tapedeck -q drain a --until-end -o none &
    tapedeck -q play -T "$work/tape" --into a
    wait $!
}
query() { tapedeck -q query -T "$work/tape" "$@" >/dev/null; }

tapedeck -q ring create a --size 64M
printf '%s ticks, median of %s runs; process start and end are counted\n' "$ticks" "$runs"
measure "gen, through a ring, drain" through_ring
measure "gen, ring, recorder, tape (sync none)" record none
measure "gen, ring, recorder, tape (sync 100 ms)" record interval:100ms
measure "query everything, in order" query -o none
measure "query everything, with its digest" query -o none --digest
measure "query to CSV, one schema" query -o csv -t trades
measure "play at full speed into a ring, drain" replay
