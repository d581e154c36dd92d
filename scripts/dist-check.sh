#!/bin/sh
# Checks that the binary of one platform comes out the same twice: from two
# clones of this commit in directories of different names, the second compiled
# with nothing in Go's build cache. scripts/dist-check.sh [OS/ARCH]
set -eu

platform=${1:-$("${GO:-go}" env GOOS)/$("${GO:-go}" env GOARCH)}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for clone in a another/place; do
	git clone --quiet . "$tmp/$clone"
	(cd "$tmp/$clone" && scripts/dist.sh dist "$platform")
	export GOCACHE="$tmp/empty"
done
cmp "$tmp"/a/dist/vaectl-* "$tmp"/another/place/dist/vaectl-*
echo "$platform: the same bytes twice"
