#!/usr/bin/env bash
# Install into a folder of its own, build the examples against it twice (CMake, pkg-config), and run
# them against each other through a ring.
set -euo pipefail
build=$1
root=$(mktemp -d)
TAPEDECK_RINGS=$(mktemp -d /dev/shm/tapedeck-installed.XXXXXX)
export TAPEDECK_RINGS
trap 'rm -rf "$root" "$TAPEDECK_RINGS"' EXIT

cmake --install "$build" --prefix "$root/usr" >/dev/null
lib=$(dirname "$(find "$root/usr" -name libtapedeck.so -print -quit)")
export LD_LIBRARY_PATH=$lib PATH=$root/usr/bin:$PATH PKG_CONFIG_PATH=$lib/pkgconfig

cmake -S examples -B "$root/examples" -DCMAKE_PREFIX_PATH="$root/usr" >/dev/null
cmake --build "$root/examples" >/dev/null
# shellcheck disable=SC2046 # words are wanted
cc -std=c11 -D_GNU_SOURCE -o "$root/scan" examples/scan.c $(pkg-config --cflags --libs tapedeck)

tapedeck ring create ex --size 1M >/dev/null
"$root/examples/feed" ex 1000
"$root/examples/tail" ex 900 | tail -n 1 | grep -q 'seq 900 '
tapedeck-recorder --tape "$root/tape" --ring ex --exit-when-idle 1s 2>/dev/null
"$root/scan" "$root/tape"
test "$(tapedeck query -T "$root/tape" --count)" = 100
echo "installed: library, headers and programs work together"
