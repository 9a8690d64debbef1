#!/bin/sh
# The whole way once, on real data: a server with an empty data folder, a key, an electron tilt series that is aligned and
# encrypted here, reconstructed there, and decrypted here again. Usage: tools/demo.sh BUILD-FOLDER. Writes demo-out/.
set -eu

build=${1:?usage: tools/demo.sh BUILD-FOLDER}
root=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "$build" && pwd)
glovebox=$build/src/cli/glovebox
gloveboxd=$build/src/service/gloveboxd
out=$root/demo-out
series=$root/examples/needle/haadf_rod_64x64x91.mrc
tilts=$root/examples/needle/haadf_rod.rawtlt

for file in "$glovebox" "$gloveboxd" "$series" "$tilts"; do
    [ -r "$file" ] || { echo "demo: $file is missing; run ./run build" >&2; exit 1; }
done

temporary=$(mktemp -d "${TMPDIR:-/tmp}/glovebox-demo.XXXXXX")
server=
cleanup() {
    code=$?
    trap - EXIT INT TERM HUP
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || :
        waited=0
        while kill -0 "$server" 2>/dev/null && [ "$waited" -lt 150 ]; do
            waited=$((waited + 1))
            sleep 0.1
        done
        kill -9 "$server" 2>/dev/null || :
        wait "$server" 2>/dev/null || :
    fi
    rm -rf "$temporary"
    exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# What the caller's shell may hold for another server must not reach the demo's.
unset GLOVEBOX_SERVER GLOVEBOX_TOKEN GLOVEBOX_PASSPHRASE GLOVEBOX_CPU
export GLOVEBOX_DATA="$temporary/data" GLOVEBOX_KEYS="$temporary/keys"

echo "1. A server on this machine, with an empty data folder (it will hold ciphertexts only)"
"$gloveboxd" --data "$GLOVEBOX_DATA" --listen 127.0.0.1:0 --threads 1 --log "$temporary/server.log" &
server=$!
tries=0
until [ -s "$GLOVEBOX_DATA/address" ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ] || ! kill -0 "$server" 2>/dev/null; then
        echo "demo: the server did not start:" >&2
        tail -n 5 "$temporary/server.log" >&2 || :
        exit 1
    fi
    sleep 0.1
done
echo "   http://$(cat "$GLOVEBOX_DATA/address")"

echo "2. A key: the secret half stays in the key store, encrypted under a passphrase"
(umask 077 && od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"$temporary/passphrase")
"$glovebox" key new demo --passphrase-file "$temporary/passphrase" >"$temporary/key"
sed -n '1,3s/^/   /p' "$temporary/key"

echo "3. The tilt series: 91 electron images of a layered needle; align, encrypt, upload, reconstruct, download, decrypt"
mkdir -p "$out"
"$glovebox" tomo reconstruct "$series" --tilts "$tilts" -o "$out/needle.mrc" --key demo \
    --passphrase-file "$temporary/passphrase" --align --axis-angle -79.7 --background border \
    --compare --montage "$out/montage.png" --report "$out/report.json" >"$temporary/table"
sed 's/^/   /' "$temporary/table"
