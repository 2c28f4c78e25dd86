#!/usr/bin/env bash
# Build the image, run the compose file, kill each container, and check that nothing published is
# lost. If no engine runs, it starts one (this needs root, Debian's docker.io and docker-compose, and
# debootstrap for the base image). Where that is not possible it says so and exits 0.
#   docker/smoke.sh [IMAGE]        with IMAGE, test that image and build nothing
# TDK_DOCKER_CACHE=DIR keeps the engine's images and layers there for the next run.
# TDK_CHROOT_CACHE=FILE.tar keeps the base that debootstrap made (packaging/debian_base.sh).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
image=${1:-}
work=$(mktemp -d)
data=${TDK_DOCKER_CACHE:-$work/data}
engine=

skip() { echo "docker: skipped: $*"; exit 0; }
fail() {
    echo "docker: $*" >&2
    compose logs --tail 20 >&2 2>/dev/null || true
    exit 1
}
compose() { docker-compose -p tapedeck-smoke -f docker/compose.yaml "$@"; }

end() {
    [ -z "${TAPEDECK_IMAGE:-}" ] || compose down -v -t 5 >/dev/null 2>&1 || true
    if [ -n "$engine" ]; then
        kill "$engine" 2>/dev/null && wait "$engine" 2>/dev/null || true
    fi
    rm -rf --one-file-system "$work" 2>/dev/null || true
}
trap end EXIT

# ---- an engine ----

command -v docker >/dev/null || skip "docker.io is not installed"
command -v docker-compose >/dev/null || skip "docker-compose is not installed"
if ! docker info >/dev/null 2>&1; then
    [ "$(id -u)" = 0 ] || skip "no engine runs, and only root can start one"
    export DOCKER_HOST=unix://$work/docker.sock
    unshare -m --propagation private dockerd --bridge=none --iptables=false --ip6tables=false \
        --oom-score-adjust=0 --data-root "$data" --exec-root "$work/exec" \
        --host "$DOCKER_HOST" --pidfile "$work/pid" >"$work/log" 2>&1 &
    engine=$!
    for _ in $(seq 120); do
        docker info >/dev/null 2>&1 && break
        kill -0 "$engine" 2>/dev/null || break
        sleep 0.5
    done
    docker info >/dev/null 2>&1 || skip "an engine cannot be started here: $(tail -n 1 "$work/log")"
fi

# ---- an image ----

answers() { # is the registry reachable? a pull without one may wait for minutes
    timeout 10 bash -c 'exec 3<>/dev/tcp/registry-1.docker.io/443' 2>/dev/null
}
has_base() {
    docker image inspect "$base" >/dev/null 2>&1 || { answers && timeout 300 docker pull -q "$base" >/dev/null; }
}
build() { timeout 1800 docker build --network host --build-arg "BASE=$base" -f docker/Dockerfile -t "$@" .; }

if [ -z "$image" ]; then
    base=debian:bookworm-slim
    if ! has_base; then
        base=tapedeck-base
        archive=${TDK_CHROOT_CACHE:-build/chroot.tar}
        why=$(packaging/debian_base.sh "$archive") || skip "no base image: $why"
        docker image inspect "$base" >/dev/null 2>&1 || docker import "$archive" "$base" >/dev/null
    fi
    # Packages that cannot be fetched are the mirror's fault, so skip. Later failures are ours.
    build tapedeck-tools --target tools || skip "no packages in a container"
    build tapedeck
    image=tapedeck
fi
export TAPEDECK_IMAGE=$image TAPEDECK_RATE=2000

# ---- the smoke ----

services="recorder replayer feed consumer"
id_of() { # of a service's container, even if it has ended
    docker ps -aqf label=com.docker.compose.project=tapedeck-smoke \
        -f "label=com.docker.compose.service=$1"
}
cli() { docker exec "$(id_of recorder)" tapedeck "$@"; }
ticks() { cli query -T /tape --count 2>/dev/null | tr -dc 0-9; }
until_more() { # N: wait until the tape has more than N ticks
    for _ in $(seq 120); do
        now=$(ticks || echo 0)
        [ "${now:-0}" -gt "$1" ] && return 0
        sleep 0.5
    done
    fail "the tape does not grow beyond $1 ticks"
}
crash() { # SERVICE: SIGKILL from outside; `restart` brings it back, as after a crash
    local pid
    pid=$(docker inspect -f '{{.State.Pid}}' "$(id_of "$1")")
    kill -9 "$pid"
}
up_again() { # SERVICE N: wait until it runs and was restarted more than N times
    local state
    for _ in $(seq 120); do
        state=$(docker inspect -f '{{.State.Running}} {{.RestartCount}}' "$(id_of "$1")")
        [ "${state% *}" = true ] && [ "${state#* }" -gt "$2" ] && return 0
        sleep 0.5
    done
    fail "$1 did not come back"
}
restarts_of() { docker inspect -f '{{.RestartCount}}' "$(id_of "$1")"; }
replayer_answers() { # even after the recorder took its pid namespace away
    for _ in $(seq 120); do
        docker exec "$(id_of replayer)" tapedeck ls tracks -a unix:/tape/replayer.sock 2>/dev/null |
            grep -q ^market && return 0
        sleep 0.5
    done
    fail "the replayer does not answer"
}

# shellcheck disable=SC2086 # word splitting is wanted
compose up -d $services
until_more 0
for service in $services; do
    [ "$(docker inspect -f '{{.HostConfig.ReadonlyRootfs}}' "$(id_of "$service")")" = true ] ||
        fail "$service can write to its root file system"
done
cli check --free-warning 0 --free-critical 0 || fail "check is not content"
for service in consumer replayer recorder feed; do
    before=$(ticks)
    restarts=$(restarts_of "$service")
    crash "$service"
    up_again "$service" "$restarts"
    until_more "$before"
    replayer_answers
    echo "docker: $service was killed and came back, the tape went on from $before to $now ticks"
done
compose stop -t 10 feed >/dev/null
sleep 1
cli gaps -T /tape --json | grep -qx '\[\]' || fail "ticks are missing: $(cli gaps -T /tape || true)"
produced=$(cli stat -T /tape --json | sed 's/.*"produced":\([0-9]*\).*/\1/')
durable=$(cli stat -T /tape --json | sed 's/.*"durable":\([0-9]*\).*/\1/')
[ "$produced" = "$durable" ] || fail "produced $produced, durable $durable"
compose stop -t 10 recorder >/dev/null
[ "$(docker inspect -f '{{.State.ExitCode}}' "$(id_of recorder)")" = 0 ] ||
    fail "the recorder did not stop in order"
echo "docker: nothing published was lost: $produced of the last epoch, and no gap in any"
