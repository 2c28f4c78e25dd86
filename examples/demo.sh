#!/usr/bin/env bash
# The main job, end to end: feed -> ring -> recorder -> tape -> query -> play -> ring, and the proof
# that every tick came through unchanged. Called as `./run demo [FILE...]`.
set -euo pipefail
bin=$1
shift
export PATH="$bin:$PATH" TAPEDECK_RINGS
work=$(mktemp -d "${TMPDIR:-/tmp}/tapedeck-demo.XXXXXX")
TAPEDECK_RINGS=$(mktemp -d /dev/shm/tapedeck-demo.XXXXXX)
recorder=
cleanup() {
    [ -z "$recorder" ] || kill "$recorder" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$work" "$TAPEDECK_RINGS"
}
trap cleanup EXIT

bold=$(tput bold 2>/dev/null || true) plain=$(tput sgr0 2>/dev/null || true)
step() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
note() { printf '   %s\n' "$*"; }
show() { printf '   $ %s\n' "$*"; }
now() { date +%s%N; }
rate() { awk -v n="$1" -v ns="$(($2 > 0 ? $2 : 1))" 'BEGIN { printf "%.2f million a second", n / ns * 1e3 }'; }
digest_of() { sed -n 's/^digest \([0-9a-f]\{32\}\) ticks \([0-9]*\).*$/\1 \2/p' "$1" | tail -n 1; }
# There are two rings at a time, and as much room is left free. A container has 64 MiB by default.
ring_size() { [ "$(df -k --output=avail "$TAPEDECK_RINGS" | tail -n 1)" -ge 262144 ] && echo 64M || echo 16M; }
wait_for() { # FILE PATTERN: at most 20 s
    local i
    for i in $(seq 200); do
        grep -q "$2" "$1" 2>/dev/null && return 0
        sleep 0.1
    done
    echo "the recorder did not get ready:" >&2
    cat "$1" >&2
    return 1
}

# Takes one market (or one file) through everything. PUBLISH is the command that feeds the ring.
journey() { # NAME PUBLISH...
    local name=$1 tape=$work/$1 size status=0 t0 t1 sent taped queried played ticks
    shift
    size=$(ring_size)
    tapedeck -q ring create "$name" --size "$size"
    tapedeck-recorder --tape "$tape" --ring "$name" 2>"$work/$name.log" &
    recorder=$!
    wait_for "$work/$name.log" '^ready'

    show "tapedeck $*"
    t0=$(now)
    tapedeck "$@" --digest 2>"$work/sent" || status=$?
    t1=$(now)
    [ $status -eq 0 ] || sed '/^digest /d; s/^/   /' "$work/sent" >&2
    [ $status -eq 0 ] || [ $status -eq 3 ] || return 1 # 3: some of the file cannot be read, the rest is
    read -r sent ticks < <(digest_of "$work/sent")
    note "published $ticks ticks, $(rate "$ticks" $((t1 - t0)))"

    kill -TERM "$recorder"
    wait "$recorder" || { cat "$work/$name.log" >&2; return 1; }
    recorder=
    show "tapedeck info -T TAPE"
    tapedeck info -T "$tape" | awk -F'\t' 'NR == 1 { n = split($0, name) }
        NR == 2 { for (i = 2; i <= n; i++) if (name[i] ~ /ticks|bytes|lost|disk|tracks|segments/)
            printf "   %-14s %s\n", name[i], $i }'
    read -r taped _ < <(tapedeck digest -T "$tape" 2>/dev/null | sed -n 's/^digest //p')

    local symbol
    symbol=$(tapedeck ls symbols -T "$tape" 2>/dev/null | awk -F'\t' 'NR == 2 { print $1 }')
    if [ -n "$symbol" ]; then
        show "tapedeck query -T TAPE --from start --to start+1m -s $symbol --count"
        note "$(tapedeck query -T "$tape" --from start --to start+1m -s "$symbol" --count) ticks of $symbol in its first minute; the first three:"
        tapedeck query -T "$tape" --from start --to start+1m -s "$symbol" -n 3 -o jsonl | cut -c 1-150 | sed 's/^/   /'
    fi

    show "tapedeck query -T TAPE --digest -o none"
    t0=$(now)
    tapedeck query -T "$tape" --digest -o none 2>"$work/queried"
    t1=$(now)
    read -r queried _ < <(digest_of "$work/queried")
    note "read back in order, $(rate "$ticks" $((t1 - t0)))"

    show "tapedeck play -T TAPE --into replay   and beside it   tapedeck drain replay --until-end"
    tapedeck -q ring create "replay-$name" --size "$size"
    tapedeck drain "replay-$name" --until-end --digest --timeout 60s -o none 2>"$work/played" &
    local drain=$!
    t0=$(now)
    tapedeck play -T "$tape" --into "replay-$name" 2>"$work/play.log" || { cat "$work/play.log" >&2; return 1; }
    wait "$drain" || { cat "$work/played" >&2; return 1; }
    t1=$(now)
    read -r played _ < <(digest_of "$work/played")
    note "played into another ring and read there, $(rate "$ticks" $((t1 - t0)))"
    tapedeck -q ring rm "$name"
    tapedeck -q ring rm "replay-$name"

    printf '\n   sent     %s\n   taped    %s\n   queried  %s\n   played   %s\n' "$sent" "$taped" "$queried" "$played"
    if [ "$sent" = "$taped" ] && [ "$sent" = "$queried" ] && [ "$sent" = "$played" ]; then
        printf '   %sequal%s: every tick came through, in order, unchanged\n' "$bold" "$plain"
    else
        printf '   %sNOT equal%s\n' "$bold" "$plain"
        return 1
    fi
}

if [ $# -gt 0 ]; then
    number=0
    for file in "$@"; do
        number=$((number + 1))
        step "Your file: $file"
        journey "file-$number" feed "$file" --ring "file-$number"
    done
    exit 0
fi

step "A made-up market: 20 symbols, 3 million ticks, recorded while it is published"
journey market gen --ring market --count 3000000 --symbols 20 --seed 7

real=../shared/data/dbn/nautilus/order_book_deltas_catalog/databento
real=$real/orderbooks_mbo_2024-05-08T00-00-00_2024-05-08T00-00-02.dbn.zst
if [ -f "$real" ]; then
    step "A real file: two seconds of an order book, every order, from CME"
    journey orders feed "$real" --ring orders
fi
