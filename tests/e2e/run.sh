#!/bin/sh
# End to end: the command line against files, and against a real server on this machine. Prints TAP.
#
#   run.sh GLOVEBOX GLOVEBOXD [NAME...]     names of cases or scenarios; default: all
#
# cases/NAME.case is data, one line each:
#   cmd: shell text, run in an empty folder (variables below); may be given more than once, the last one's exit counts
#   exit: the code expected           stderr: text that it must contain (may repeat)
#   stdout: text that it must contain (may repeat)     check: shell text that must succeed afterwards (may repeat)
#   server: yes                       the case needs the server
# A command that fails must say so in exactly one line on stderr, beside its lines of progress.
# scenarios/NAME.sh is a script of its own: exit 0 passed, 77 could not be tested here, else failed.
# Variables: $NEEDLE, $TILTS (the example), $MAKE (make-mrc.sh), GLOVEBOX_KEYS (with the keys "lab" and "lab-high"),
# GLOVEBOX_PASSPHRASE, GLOVEBOX_DATA (server cases), $HERE (this folder).
set -u

glovebox=$1 gloveboxd=$2
shift 2
HERE=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$HERE/../.." && pwd)
NEEDLE=$root/examples/needle/haadf_rod_64x64x91.mrc
TILTS=$root/examples/needle/haadf_rod.rawtlt
MAKE=$HERE/make-mrc.sh
top=$(mktemp -d "${TMPDIR:-/tmp}/glovebox-e2e.XXXXXX")
server=
mkdir "$top/bin"
ln -s "$glovebox" "$top/bin/glovebox"
ln -s "$gloveboxd" "$top/bin/gloveboxd"
PATH=$top/bin:$PATH
unset GLOVEBOX_SERVER GLOVEBOX_TOKEN GLOVEBOX_DATA GLOVEBOX_CPU
GLOVEBOX_KEYS=$top/keys GLOVEBOX_PASSPHRASE='correct horse battery' LC_ALL=C
export HERE NEEDLE TILTS MAKE PATH GLOVEBOX_KEYS GLOVEBOX_PASSPHRASE LC_ALL

cleanup() {
    trap - EXIT INT TERM HUP
    if [ -n "$server" ]; then
        kill -9 "$server" 2>/dev/null || :
        wait "$server" 2>/dev/null || :
    fi
    rm -rf "$top"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

start_server() {
    [ -z "$server" ] || return 0
    gloveboxd --data "$top/data" --listen 127.0.0.1:0 --log "$top/server.log" &
    server=$!
    for _ in $(seq 200); do
        [ -s "$top/data/address" ] && return 0
        sleep 0.05
    done
    echo "# the server did not start"
    return 1
}

# Lines of field $1 in case file $2.
field() { sed -n "s/^$1: //p" "$2"; }

problem() { problems="$problems
#   $*"; }

run_case() {
    file=$1 problems=
    where=$top/case-$(basename "$file" .case)
    mkdir -p "$where/work"
    if [ "$(field server "$file")" = yes ]; then
        start_server || problem 'no server'
        export GLOVEBOX_DATA="$top/data"
    else
        unset GLOVEBOX_DATA
    fi
    field cmd "$file" >"$where/script"
    (cd "$where/work" && sh "$where/script") >"$where/stdout" 2>"$where/stderr" </dev/null
    code=$?
    want=$(field exit "$file")
    [ "$code" -eq "$want" ] || problem "exit $code, expected $want"
    for stream in stdout stderr; do
        field $stream "$file" >"$where/wanted"
        while IFS= read -r text; do
            grep -qF -e "$text" "$where/$stream" || problem "$stream lacks: $text"
        done <"$where/wanted"
    done
    # Lines of progress ("read ...") are no errors.
    if [ "$want" -ne 0 ] && [ "$(grep -vc ' \.\.\.$' "$where/stderr")" -ne 1 ]; then problem 'the error is not one line'; fi
    field check "$file" >"$where/checks"
    while IFS= read -r text; do
        (cd "$where/work" && sh -c "$text") >/dev/null 2>&1 </dev/null || problem "does not hold: $text"
    done <"$where/checks"
    if [ -n "$problems" ]; then
        sed 's/^/#   stdout: /' "$where/stdout" | head -n 10
        sed 's/^/#   stderr: /' "$where/stderr" | head -n 10
        printf '%s\n' "$problems"
        return 1
    fi
    rm -rf "$where"
}

run_scenario() {
    where=$top/scenario-$(basename "$1" .sh)
    mkdir -p "$where"
    unset GLOVEBOX_DATA
    (cd "$where" && sh "$1") >"$where.log" 2>&1 </dev/null
    code=$?
    [ "$code" -eq 0 ] || sed 's/^/#   /' "$where.log" | tail -n 30
    rm -rf "$where"
    return "$code"
}

if [ $# -eq 0 ]; then
    set -- "$HERE"/cases/*.case "$HERE"/scenarios/*.sh
else
    for name in "$@"; do
        shift
        for file in "$HERE/cases/$name.case" "$HERE/scenarios/$name.sh"; do
            [ -f "$file" ] && set -- "$@" "$file"
        done
    done
fi

echo "1..$#"
number=0 failed=0
if ! glovebox key new lab --kdf interactive >/dev/null || ! glovebox key new lab-high --precision high --kdf interactive >/dev/null; then
    echo 'Bail out! no key could be made'
    exit 1
fi
for file in "$@"; do
    number=$((number + 1))
    name=$(basename "$file")
    name=${name%.*}
    case $file in
    *.case) run_case "$file" ;;
    *) run_scenario "$file" ;;
    esac
    case $? in
    0) echo "ok $number - $name" ;;
    77) echo "ok $number - $name # SKIP could not be tested here" ;;
    *)
        echo "not ok $number - $name"
        failed=1
        ;;
    esac
done
exit $failed
