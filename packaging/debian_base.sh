#!/usr/bin/env bash
# Makes an archive of a fresh Debian, from which the checks of the package and of the image start. It
# is made once and kept where the caller says.
#   packaging/debian_base.sh FILE.tar      if it cannot be made: exit 1, and the reason on stdout
set -euo pipefail
archive=$1
[ ! -f "$archive" ] || exit 0
no() { echo "$*"; exit 1; }
[ "$(id -u)" = 0 ] || no "a fresh Debian can be made by root alone"
command -v debootstrap >/dev/null || no "debootstrap is not installed"

root=$(mktemp -d)
end() {
    umount "$root" 2>/dev/null || true
    rm -rf --one-file-system "$root" "$root.log"
}
trap end EXIT
# Work in memory where possible, because dpkg syncs each file.
mount -t tmpfs -o size=2g,mode=755 tmpfs "$root" 2>/dev/null || chmod 755 "$root"
timeout 900 debootstrap --variant=minbase bookworm "$root" >"$root.log" 2>&1 ||
    no "debootstrap: $(tail -n 1 "$root.log")"
# Packages installed in it do not survive a power cut, and need not.
echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io"
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
mkdir -p "$(dirname "$archive")"
tar -cf "$archive.new" --one-file-system -C "$root" .
mv "$archive.new" "$archive"
