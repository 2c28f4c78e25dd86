#!/usr/bin/env bash
# Install into a temporary folder, build the examples against it twice (with CMake and with pkg-config),
# and run them against each other through a ring.
set -euo pipefail
build=$1
root=$(mktemp -d)
TAPEDECK_RINGS=$(mktemp -d /dev/shm/tapedeck-installed.XXXXXX)
export TAPEDECK_RINGS
recorder=
replayer=
trap 'for pid in $recorder $replayer; do kill -9 "$pid"; done; rm -rf "$root" "$TAPEDECK_RINGS"' EXIT

cmake --install "$build" --prefix "$root/usr" >/dev/null
lib=$(dirname "$(find "$root/usr" -name libtapedeck.so -print -quit)")
export LD_LIBRARY_PATH=$lib PATH=$root/usr/bin:$PATH PKG_CONFIG_PATH=$lib/pkgconfig

cmake -S examples -B "$root/examples" -DCMAKE_PREFIX_PATH="$root/usr" >/dev/null
cmake --build "$root/examples" >/dev/null
# shellcheck disable=SC2046 # word splitting is wanted
cc -std=c11 -D_GNU_SOURCE -o "$root/scan" examples/scan.c $(pkg-config --cflags --libs tapedeck)

test -f "$root/usr/share/zsh/site-functions/_tapedeck" # /usr/local: $fpath has this, not vendor-completions

tapedeck ring create ex --size 1M >/dev/null
test "$("$root/examples/feed" ex abc >/dev/null 2>&1; echo $?)" = 2
"$root/examples/feed" ex 1000
"$root/examples/tail" ex 900 | tail -n 1 | grep -q 'seq 900 '
tapedeck-recorder --tape "$root/tape" --ring ex --exit-when-idle 1s 2>/dev/null
"$root/scan" "$root/tape"
test "$(tapedeck query -T "$root/tape" --count)" = 100

# The same strategy runs live beside a recorder and in a replay. Only the name of its ring differs.
tapedeck ring create live --size 1M >/dev/null
tapedeck-recorder --tape "$root/day" --ring live >/dev/null 2>"$root/recorder.log" &
recorder=$!
for _ in $(seq 100); do grep -q '^ready' "$root/recorder.log" && break; sleep 0.1; done
timeout 60 "$root/examples/strategy" live >"$root/live.txt" 2>/dev/null &
strategy=$!
for _ in $(seq 100); do tapedeck ring info live --json | grep -q '"taps":1' && break; sleep 0.1; done
"$root/examples/feed" live 5000
wait "$strategy"
kill "$recorder"
wait "$recorder"
recorder=
tapedeck ring create replay --size 1M >/dev/null
timeout 60 "$root/examples/strategy" replay >"$root/replay.txt" &
strategy=$!
tapedeck play -q -T "$root/day" --into replay --speed max --wait-consumers 1 --timeout 30s
wait "$strategy"
test -s "$root/live.txt"
cmp "$root/live.txt" "$root/replay.txt"

# A replayer gives our program the same answer as the tape itself.
tapedeck-replayer --tape "$root/day" >/dev/null 2>"$root/replayer.log" &
replayer=$!
for _ in $(seq 100); do grep -q '^ready' "$root/replayer.log" && break; sleep 0.1; done
timeout 60 "$root/examples/ask" "unix:$root/day/replayer.sock" >"$root/ask.txt"
grep -q '^5000 ticks' "$root/ask.txt"
test "$(tail -n 1 "$root/ask.txt")" = "$(tapedeck digest -T "$root/day" -n 10)"
kill "$replayer"
wait "$replayer"
replayer=
echo "installed: library, headers and programs work together"
