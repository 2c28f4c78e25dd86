#!/usr/bin/env bash
# A fresh Debian in an archive, from which the checks of the package and of the image begin: made
# once, and kept where the caller says.
#   packaging/debian_base.sh FILE.tar      exit 1, and why on stdout, where it cannot be had
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
# In memory where that can be had: dpkg syncs each file.
mount -t tmpfs -o size=2g,mode=755 tmpfs "$root" 2>/dev/null || chmod 755 "$root"
timeout 900 debootstrap --variant=minbase bookworm "$root" >"$root.log" 2>&1 ||
    no "debootstrap: $(tail -n 1 "$root.log")"
# Nothing that is installed in it outlives a power cut, nor has to.
echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io"
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
mkdir -p "$(dirname "$archive")"
tar -cf "$archive.new" --one-file-system -C "$root" .
mv "$archive.new" "$archive"
