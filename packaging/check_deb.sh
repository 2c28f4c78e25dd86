#!/usr/bin/env bash
# Install a package in a fresh Debian, use it as its user would, purge it, and check that only the
# recording is left. This needs root, debootstrap and a mirror; without them it says so and skips.
set -euo pipefail
deb=$(realpath "$1")
cache=${TDK_CHROOT_CACHE:-build/chroot.tar}
why=$("$(dirname "${BASH_SOURCE[0]}")/debian_base.sh" "$cache") || { echo "package: skipped: $why"; exit 0; }

root=$(mktemp -d)
end() {
    umount "$root/dev/shm" "$root/proc" 2>/dev/null || true
    rm -rf --one-file-system "$root" "$root".*
}
trap end EXIT
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"; }
fail() { echo "check_deb: $*" >&2; exit 1; }

tar -xf "$cache" -C "$root"
# Fetch packages in the same way as the host.
cp /etc/resolv.conf "$root/etc/" 2>/dev/null || true
rm -f "$root/etc/apt/sources.list"
for part in sources.list sources.list.d apt.conf.d trusted.gpg.d; do
    [ ! -e "/etc/apt/$part" ] || { rm -rf "$root/etc/apt/$part"; cp -r "/etc/apt/$part" "$root/etc/apt/"; }
done
mount -t proc proc "$root/proc"
mkdir -p "$root/dev/shm"
mount -t tmpfs -o size=256m tmpfs "$root/dev/shm"
inside apt-get update -qq >/dev/null || { echo "package: skipped: no mirror answers"; exit 0; }
# Install its dependencies first, so that `before` and `after` differ only by the package.
depends=$(dpkg-deb -f "$deb" Depends | tr ',' '\n' | sed 's/ *\([^ ]*\).*/\1/')
# shellcheck disable=SC2086 # word splitting is wanted
inside apt-get install -y -qq --no-install-recommends $depends >/dev/null 2>&1 || fail "depends: $depends"

files() {
    (cd "$root" && find . -xdev \( -path ./proc -o -path ./var/lib/dpkg -o -path ./var/cache \
        -o -path ./var/log -o -path ./root \) -prune -o -print | grep -vxE './etc/(ld.so.cache|.*-)' | sort)
}
files >"$root.before"
cp "$deb" "$root/root/tapedeck.deb"

inside dpkg -i /root/tapedeck.deb >/dev/null || fail "does not install"
inside getent passwd tapedeck >/dev/null || fail "no user tapedeck"
[ "$(stat -c %a "$root/dev/shm/tapedeck")" = 2770 ] || fail "no rings directory"
for page in man1/tapedeck.1 man8/tapedeck-recorder.8 man5/tapedeck.conf.5; do
    [ -f "$root/usr/share/man/$page" ] || fail "no manual page $page"
done
inside bash -c 'tapedeck --version && tapedeck-recorder --version' >/dev/null
as() { inside setpriv --reuid tapedeck --regid tapedeck --init-groups "$@"; }
# With the configuration as installed, the recorder makes its ring and records it until it is idle.
as tapedeck-recorder --config /etc/tapedeck/tapedeck.conf --exit-when-idle 3s 2>"$root.log" &
recorder=$!
for _ in $(seq 100); do grep -q ^ready "$root.log" && break; sleep 0.1; done
as tapedeck gen --ring market --count 1000
as tapedeck check -T /var/lib/tapedeck/tape --free-warning 0 --free-critical 0
wait "$recorder" || fail "the recorder: $(cat "$root.log")"
[ "$(as tapedeck query -T /var/lib/tapedeck/tape --count)" = 1000 ] || fail "not 1000 ticks"

inside dpkg -i /root/tapedeck.deb >/dev/null || fail "does not upgrade"
inside dpkg --purge tapedeck >/dev/null 2>"$root.log" || fail "does not purge"
grep -q 'kept in /var/lib/tapedeck' "$root.log" || fail "purge does not say what it keeps"
[ -d "$root/var/lib/tapedeck/tape" ] || fail "a purge took a tape"
rm -rf "$root/var/lib/tapedeck"

inside dpkg -i /root/tapedeck.deb >/dev/null || fail "does not install again"
mkdir -p "$root/etc/systemd/system/tapedeck-recorder.service.d" # the tape is kept elsewhere
inside dpkg --purge tapedeck >/dev/null 2>&1 || fail "does not purge beside a tape that is elsewhere"
inside getent passwd tapedeck >/dev/null || fail "a purge took the user of a tape that is elsewhere"
(cd "$root" && rmdir -p --ignore-fail-on-non-empty etc/systemd/system/tapedeck-recorder.service.d)

inside dpkg -i /root/tapedeck.deb >/dev/null || fail "does not install a third time"
inside dpkg --purge tapedeck >/dev/null || fail "does not purge again"
files >"$root.after"
diff "$root.before" "$root.after" || fail "a purge leaves something"
inside getent passwd tapedeck >/dev/null && fail "a purge leaves the user"
rm -f "$root.before" "$root.after" "$root.log"
echo "package: installs, records, upgrades and purges cleanly"
