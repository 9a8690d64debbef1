#!/bin/sh
# run.sh BUILD_FOLDER: our engine and another library on this machine, one after the other, and the ratios.
#
# The other is Microsoft SEAL compiled to WebAssembly (node-seal, at the version and hash that tests/peer keeps): what
# installs everywhere with npm. It has 64-bit arithmetic but no SIMD, so it is a floor; bench/engine.c holds the figures
# recorded of SEAL and OpenFHE built with HEXL. Exit 77: it cannot be installed here.
set -eu
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
lock=$here/../../tests/peer
skip() {
    echo "skipped: $1"
    exit 77
}
command -v node >/dev/null || skip 'there is no node'
folder=$build/peers
mkdir -p "$folder"
if [ ! -d "$folder/node_modules/node-seal" ]; then
    [ "${GLOVEBOX_NO_INSTALL:-0}" = 1 ] && skip 'node-seal is not installed, and GLOVEBOX_NO_INSTALL is set'
    command -v npm >/dev/null || skip 'there is no npm'
    cp "$lock/package.json" "$lock/package-lock.json" "$folder"
    (cd "$folder" && timeout 120 npm ci --ignore-scripts --no-audit --no-fund >npm.log 2>&1) ||
        skip "npm cannot install node-seal (its output: $folder/npm.log)"
fi
"$build/bench/glovebox-bench" engine --json "$folder/glovebox.json" ${GLOVEBOX_BENCH_QUICK:+--quick}
echo
node "$here/seal.js" "$folder" "$folder/glovebox.json" "$folder/peers.json"
