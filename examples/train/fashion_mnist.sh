#!/bin/bash
# Fetches Fashion-MNIST (Xiao, Rasul & Vollgraf 2017; MIT licence; 70,000 images, 31 MB) into examples/train/fashion-mnist: from /usr/share/datasets when
# Debian's package dataset-fashion-mnist is installed, else out of that package, which needs apt-get and no root. A second run does nothing.
set -euo pipefail
cd "$(dirname "$0")"
to=fashion-mnist
sums='cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa  t10k-images-idx3-ubyte.gz
8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05  t10k-labels-idx1-ubyte.gz
b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7  train-images-idx3-ubyte.gz
0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056  train-labels-idx1-ubyte.gz'
tmp=''
trap '[ -z "$tmp" ] || rm -rf "$tmp"' EXIT
die() { echo "fashion_mnist.sh: $*" >&2; exit 1; }

whole() { # FOLDER: are all four files there and right?
    (cd "$1" 2> /dev/null && sha256sum --quiet --check - <<< "$sums") > /dev/null 2>&1
}

! whole $to || exit 0
tmp=$(mktemp -d ./.fetch.XXXXXX)
if whole /usr/share/datasets/fashion-mnist; then
    cp /usr/share/datasets/fashion-mnist/*.gz "$tmp"
else
    command -v apt-get > /dev/null || die "this is not Debian; put the four .gz files of Fashion-MNIST into examples/train/$to"
    echo "fetching Debian's dataset-fashion-mnist (31 MB)"
    (cd "$tmp" && apt-get download -q dataset-fashion-mnist 2> log && dpkg-deb -x dataset-fashion-mnist_*.deb x) || {
        cat "$tmp/log" >&2
        die "the package cannot be fetched: is there a network? (apt-get update)"
    }
    mv "$tmp"/x/usr/share/datasets/fashion-mnist/*.gz "$tmp"
    rm -rf "$tmp/x" "$tmp"/*.deb "$tmp/log"
fi
whole "$tmp" || die "the files fetched are not those of Fashion-MNIST: their SHA-256 differ"
rm -rf $to
mv "$tmp" $to
tmp=''
chmod 755 $to
echo "examples/train/$to is there"
