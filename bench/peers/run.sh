#!/bin/sh
# run.sh BUILD_FOLDER: our engine and other libraries on this machine, one after the other, and the ratios.
#
# The others are what a package registry installs: Microsoft SEAL compiled to WebAssembly (node-seal, at the version and
# hash that tests/peer keeps; npm) and OpenFHE's Python wheel (at those of requirements.txt; pip, and a Python for which
# there is one). Neither has the vector code of a build with HEXL, so they are a floor; bench/engine.c holds the figures
# recorded of such builds. Each is left out, with the reason, where it cannot be had; exit 77: both are.
set -eu
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
folder=$build/peers
mkdir -p "$folder"

# Says why a library is left out.
without() {
    echo "skipped: $1"
    return 1
}

have_node_seal() {
    command -v node >/dev/null || without 'node-seal: there is no node' || return
    [ ! -d "$folder/node_modules/node-seal" ] || return 0
    [ -z "${GLOVEBOX_NO_INSTALL:-}" ] || without 'node-seal: not installed, and GLOVEBOX_NO_INSTALL is set' || return
    command -v npm >/dev/null || without 'node-seal: there is no npm' || return
    cp "$here/../../tests/peer/package.json" "$here/../../tests/peer/package-lock.json" "$folder"
    (cd "$folder" && timeout 120 npm ci --ignore-scripts --no-audit --no-fund >npm.log 2>&1) ||
        without "node-seal: npm cannot install it (its output: $folder/npm.log)"
}

# The Pythons to try: the one named in GLOVEBOX_PEER_PYTHON, those in PATH, those of pyenv.
pythons() {
    [ -z "${GLOVEBOX_PEER_PYTHON:-}" ] || printf '%s\n' "$GLOVEBOX_PEER_PYTHON"
    printf '%s\n' python3.10 python3.12 python3
    for p in "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/3.1[02].*/bin/python3; do
        [ ! -x "$p" ] || printf '%s\n' "$p"
    done
}

# Installs the wheel for Python $1 in folder $2, unless what the requirements name is there.
install_wheel() {
    cmp -s "$here/requirements.txt" "$2/requirements.txt" && return
    [ -z "${GLOVEBOX_NO_INSTALL:-}" ] || { reason='not installed, and GLOVEBOX_NO_INSTALL is set' && return 1; }
    "$1" -c 'import pip' 2>/dev/null || { reason="$1 has no pip" && return 1; }
    rm -rf "$2"
    timeout 120 "$1" -m pip install --quiet --target "$2" --no-deps --only-binary :all: --require-hashes \
        -r "$here/requirements.txt" >"$folder/pip.log" 2>&1 ||
        { reason="pip cannot install it (its output: $folder/pip.log)" && return 1; }
    cp "$here/requirements.txt" "$2"
}

# Sets python and wheel to a Python and the folder of a wheel that it loads.
have_openfhe() {
    reason='its wheels are for Python 3.10 and 3.12 on x86-64 Linux; neither is here (GLOVEBOX_PEER_PYTHON names one)'
    names=$(pythons)
    for python in $names; do
        version=$("$python" -c 'import platform, sys
if sys.version_info[:2] in ((3, 10), (3, 12)) and sys.platform == "linux" and platform.machine() == "x86_64":
    print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
        [ -n "$version" ] || continue
        wheel=$folder/openfhe-py$version
        install_wheel "$python" "$wheel" || continue
        PYTHONPATH=$wheel "$python" -c 'import openfhe' 2>"$folder/load.log" && return
        reason="the wheel does not load: $(tail -n 1 "$folder/load.log")"
    done
    without "OpenFHE: $reason"
}

rm -f "$folder/peers.json"
node_seal=0 openfhe=0
have_node_seal && node_seal=1
have_openfhe && openfhe=1
[ $((node_seal + openfhe)) -gt 0 ] || exit 77
"$build/bench/glovebox-bench" engine --json "$folder/glovebox.json" ${GLOVEBOX_BENCH_QUICK:+--quick}
if [ $node_seal = 1 ]; then
    echo
    node "$here/seal.js" "$folder" "$folder/glovebox.json" "$folder/peers.json"
fi
if [ $openfhe = 1 ]; then
    echo
    OMP_NUM_THREADS=1 PYTHONPATH=$wheel "$python" "$here/openfhe_wheel.py" "$folder/glovebox.json" "$folder/peers.json"
fi
