#!/usr/bin/env bash
# Side by side with what a user would pick instead, one run on one machine: raw results, tables and pictures.
#     tests/bench/rivals.sh BIN HARNESSES OUT [--quick]
# HARNESSES has the folders ring/ and store/, each with a run.sh; they are copied, nothing is written there. What
# cannot be built here is left out with a message. OUT gets ring.tsv, store.tsv, record.json, query.json,
# play.json, bare-*.json, machine.txt and what the harnesses say (*.log), and from these report.py makes tables.md and
# the SVG files. Exit 1: a run failed, or an answer was wrong.
# PARTS="ring store record query play report" runs some parts again; STORE_REPS=1 records each store once;
# DUCKDB_LIB names a libduckdb.so that is there.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
[ $# -ge 3 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2; }
bin=$(realpath "$1") harnesses=$(realpath "$2")
mkdir -p "$3"
out=$(realpath "$3") quick=${4:-}
parts=" ${PARTS:-ring store record query play report} "
lib=$(dirname "$bin")/lib
rings=$(mktemp -d /dev/shm/tapedeck-rivals.XXXXXX)
trap 'rm -rf "$rings"' EXIT

wants() { case "$parts" in *" $1 "*) return 0 ;; *) return 1 ;; esac }

bare() { # PROGRAM NAME BYTES [SPAN TAKE]: a file of this many bytes, read by a bare loop
    head -c "$3" /dev/zero >"$out/bare.bin"
    "$bin/$1" "$out/bare.bin" "${@:4}" | sed "s/\"name\": \"/&$2: /"
    rm "$out/bare.bin"
}

if wants ring || wants store; then
    rm -rf "$out/harness"
    mkdir "$out/harness"
    cp -r "$harnesses/ring" "$harnesses/store" "$out/harness/"
    chmod -R u+w "$out/harness"
fi

{
    date -u +%Y-%m-%dT%H:%MZ
    sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1
    echo "$(nproc) processors, $(awk '/^MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo) GiB, Linux $(uname -r)"
    echo "disk: $(df --output=source,fstype "$out" | tail -1 | tr -s ' ')"
    echo "load before: $(cut -d' ' -f1 /proc/loadavg)"
} >"$out/machine.txt"

if wants ring; then
    make -s -k -C "$out/harness/ring" >"$out/ring.build" 2>&1 || echo "some rings cannot be built: $out/ring.build" >&2
    for contestant in tapedeck slots lines_memcpy lines; do
        cp "$root/tests/bench/ring/${contestant%_memcpy}.c" "$out/harness/$contestant.c"
        make -s -C "$out/harness/ring" extra SRC="../$contestant.c" EXTRA_CFLAGS="-I$root/include $([ "$contestant" = lines_memcpy ] && echo -DBY_MEMCPY)" \
            EXTRA_LIBS="-L$lib -ltapedeck -Wl,-rpath,$lib" >>"$out/ring.build" 2>&1
    done
    [ -z "$quick" ] || export REPS=${REPS:-3}
    (cd "$out/harness/ring" && CAPS=${CAPS:-256k 1m 4m 16m 64m} RATES=${RATES:-1e6 1e7 2e7} RAW="$out/ring.tsv" ./run.sh build \
        2>&1 >"$out/ring.txt" | tee "$out/ring.log" >&2)
fi

if wants store; then
    cat >"$out/harness/store/contestants/sealed.sh" <<'EOF'
c_ready() { [ -n "$TAPEDECK" ] || { echo "needs TAPEDECK"; return 1; }; }
c_record() { BENCH_SEAL=1 "$TAPEDECK" record "$1" "$2"; }
c_query() { "$TAPEDECK" query "$@"; }
EOF
    only=${STORES:-flat,lmdb,sqlite,duckdb,parquet,redis,nats,nats1,pg,tapedeck,sealed}
    TDK_BIN=$bin TAPEDECK=$root/tests/bench/store/adapter \
        "$out/harness/store/run.sh" $([ -n "$quick" ] && echo --quick || echo --full) ${STORE_REPS:+--reps "$STORE_REPS"} --only "$only" --work "$out/store" \
        2>&1 >"$out/store.txt" | tee "$out/store.log" >&2
    cp "$out/store/results.tsv" "$out/store.tsv"
    rm -rf "$out"/store/store-*
    ticks=$(awk -F'\t' '$2 == "record" { print $3; exit }' "$out/store.tsv")
    { # the bytes of a tape of so many ticks: rows, sealed with what comes out of it, and what a symbol of 200 takes of that
        bare bareread rows $((ticks * 746 / 10))
        bare barelay sealed $((ticks * 53 / 10)) 308000 4187000
        bare bareread "sealed, a symbol" $((ticks * 53 / 10)) 311000 116000
    } >"$out/bare-store.json"
fi

if wants play; then # and a bare loop, for comparison
    TAPEDECK_RINGS=$rings "$bin/barecopy" >"$out/bare-play.json"
fi

for part in record query play; do
    wants $part || continue
    scale=()
    if [ -n "$quick" ]; then
        [ $part = record ] && scale=(--count 2000000) || scale=(--ticks 2000000)
    fi
    TAPEDECK_RINGS=$rings "$bin/tapedeck" -q bench $part --json --runs "${RUNS:-5}" "${scale[@]}" >"$out/$part.json"
done

if wants report; then
    python3 "$root/tests/bench/report.py" "$out"
fi
