#!/bin/sh
# run.sh CIRCUITS FOLDER: Glovebox's random circuits against SEAL. node-seal is installed in FOLDER at the version and
# hash of package-lock.json; where it cannot be (no node, no network, GLOVEBOX_NO_INSTALL=1) the test is skipped.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
skip() {
    echo "1..0 # SKIP $1"
    exit 77
}
command -v node >/dev/null || skip 'there is no node'
if [ ! -d "$2/node_modules/node-seal" ]; then
    [ "${GLOVEBOX_NO_INSTALL:-0}" = 1 ] && skip 'node-seal is not installed, and GLOVEBOX_NO_INSTALL is set'
    command -v npm >/dev/null || skip 'there is no npm'
    mkdir -p "$2"
    cp "$here/package.json" "$here/package-lock.json" "$2"
    (cd "$2" && timeout 60 npm ci --ignore-scripts --no-audit --no-fund >npm.log 2>&1) ||
        skip 'npm cannot install node-seal'
fi
circuits=$(mktemp "${TMPDIR:-/tmp}/glovebox-peer.XXXXXX")
trap 'rm -f "$circuits"' EXIT
"$1" "${GLOVEBOX_PEER_SEED:-1}" >"$circuits"
node "$here/peer.js" "$2" <"$circuits"
