#!/bin/sh
# Builds the binaries of a release: scripts/dist.sh DIR [OS/ARCH...]
#
# They are static, and the same bytes come out of every clean checkout of the
# same commit with the same Go, in whatever directory. To that end the
# environment's own settings of the compiler are put aside, and the linker adds
# no build id. The commit is stamped into the binary ("vaectl version" shows it),
# as is "modified" where the checkout is not clean; a tarball without .git builds
# too, to binaries that do not know their commit and so differ.
set -eu

out=$1
shift
[ $# -gt 0 ] || set -- linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

export CGO_ENABLED=0 GOFLAGS= GOEXPERIMENT= GOFIPS140=off GOWORK=off GOAMD64=v1 GOARM64=v8.0
mkdir -p "$out"
rm -f "$out"/vaectl-* "$out"/SHA256SUMS
for platform; do
	os=${platform%/*} arch=${platform#*/} suffix=
	[ "$os" != windows ] || suffix=.exe
	echo "building $os/$arch" >&2
	GOOS=$os GOARCH=$arch "${GO:-go}" build -trimpath -buildvcs=true -ldflags '-s -w -buildid=' \
		-o "$out/vaectl-$os-$arch$suffix" ./cmd/vaectl
done

cd "$out"
if command -v sha256sum >/dev/null; then
	sha256sum vaectl-* >SHA256SUMS
else
	shasum -a 256 vaectl-* >SHA256SUMS
fi
cat SHA256SUMS
