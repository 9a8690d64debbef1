#!/bin/sh
# The library as its users get it: installs into a temporary folder, builds every example with pkg-config alone, against
# the shared and the static library, and runs it. Prints TAP.
#   run.sh BUILD_FOLDER PREFIX
set -u
build=$1 prefix=$2
root=$(cd "$(dirname "$0")/../.." && pwd)
top=$(mktemp -d "${TMPDIR:-/tmp}/glovebox-install.XXXXXX")
trap 'rm -rf "$top"' EXIT
CC=${CC:-cc}
set -- "$root"/examples/engine/*.c
echo "1..$((2 * $# + 2))"
number=0 failed=0
answer() { # answer STATUS NAME
    number=$((number + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $number - $2"
    else
        sed 's/^/#   /' "$top/log" | tail -n 20
        echo "not ok $number - $2"
        failed=1
    fi
}

meson install -C "$build" --no-rebuild --tags devel,runtime --destdir "$top/root" >"$top/log" 2>&1
answer $? 'install'
pc=$(find "$top/root" -name glovebox.pc)
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
flags() { pkg-config --define-variable=prefix="$top/root$prefix" "$@" glovebox; }
libdir=$(flags --variable=libdir)

# Nothing but the public functions is exported.
nm -D --defined-only "$libdir/libglovebox.so" | awk '$2 ~ /[TDBR]/ && $3 !~ /^gb_/ {print; bad = 1} END {exit bad}' >"$top/log" 2>&1
answer $? 'exports'

for source in "$@"; do
    name=$(basename "$source" .c)
    # shellcheck disable=SC2046  # lists of flags
    $CC -std=c99 -Wall -Wextra -Werror -pedantic -O1 "$source" -o "$top/$name" $(flags --cflags --libs) -lm >"$top/log" 2>&1 &&
        LD_LIBRARY_PATH="$libdir" "$top/$name" >"$top/log" 2>&1
    answer $? "$name, shared"
    # shellcheck disable=SC2046
    $CC -std=c99 -Wall -Wextra -Werror -pedantic -O1 "$source" -o "$top/$name-static" $(flags --cflags) "$libdir/libglovebox.a" \
        $(flags --static --libs-only-l | sed 's/-lglovebox//') -lm -pthread >"$top/log" 2>&1 && "$top/$name-static" >"$top/log" 2>&1
    answer $? "$name, static"
done
exit $failed
