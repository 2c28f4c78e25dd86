#!/usr/bin/env bash
# Build the image, run the compose file, kill each container, and see that nothing published is
# lost. Starts an engine of its own where there is none (root, Debian's docker.io and
# docker-compose, and debootstrap for the base image); where that cannot be it says so and exits 0.
#   docker/smoke.sh [IMAGE]        with IMAGE, that one is tried and nothing is built
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
image=${1:-}
work=$(mktemp -d)
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
        --oom-score-adjust=0 --data-root "$work/data" --exec-root "$work/exec" \
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

if [ -z "$image" ]; then
    base=debian:bookworm-slim
    if ! docker image inspect "$base" >/dev/null 2>&1 && ! docker pull -q "$base" >/dev/null 2>&1; then
        command -v debootstrap >/dev/null || skip "no base image, and debootstrap is not installed"
        debootstrap --variant=minbase bookworm "$work/base" >/dev/null || skip "no mirror for a base image"
        base=tapedeck-base
        tar -c -C "$work/base" . | docker import - "$base" >/dev/null
    fi
    docker build --network host --build-arg "BASE=$base" -f docker/Dockerfile -t tapedeck .
    image=tapedeck
fi
export TAPEDECK_IMAGE=$image TAPEDECK_RATE=2000

# ---- the smoke ----

services="recorder feed consumer"
if docker run --rm --network none "$image" sh -c 'command -v tapedeck-replayer' >/dev/null; then
    services="recorder replayer feed consumer"
fi
id_of() { # also of one that has ended
    docker ps -aqf label=com.docker.compose.project=tapedeck-smoke \
        -f "label=com.docker.compose.service=$1"
}
cli() { docker exec "$(id_of recorder)" tapedeck "$@"; }
ticks() { cli query -T /tape --count 2>/dev/null | tr -dc 0-9; }
until_more() { # than N ticks on the tape
    for _ in $(seq 120); do
        now=$(ticks || echo 0)
        [ "${now:-0}" -gt "$1" ] && return 0
        sleep 0.5
    done
    fail "the tape does not grow beyond $1 ticks"
}
crash() { # SIGKILL from outside; `restart` brings it back, as after a crash
    local pid
    pid=$(docker inspect -f '{{.State.Pid}}' "$(id_of "$1")")
    kill -9 "$pid"
}
up_again() {
    for _ in $(seq 120); do
        [ "$(docker inspect -f '{{.State.Running}} {{.RestartCount}}' "$(id_of "$1")")" = "true $2" ] && return 0
        sleep 0.5
    done
    fail "$1 did not come back"
}

# shellcheck disable=SC2086 # words are wanted
compose up -d $services
until_more 0
for service in $services; do
    [ "$(docker inspect -f '{{.HostConfig.ReadonlyRootfs}}' "$(id_of "$service")")" = true ] ||
        fail "$service can write to its root file system"
done
cli check --free-warning 0 --free-critical 0 || fail "check is not content"
for service in consumer recorder feed; do
    before=$(ticks)
    crash "$service"
    up_again "$service" 1
    until_more "$before"
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
