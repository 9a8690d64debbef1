# Ctrl-C: exit code 130, one line, and nothing half-written beside the output.
. "$HERE/scenarios/lib.inc"
sh "$MAKE" s 192 256 41
mkdir out
glovebox tomo reconstruct s.mrc --tilts s.tlt -o out/o.mrc --local --key lab >r 2>err &
client=$!
wait_for 30 sh -c 'ls -A out | grep -q tiles' || fail 'it never began'
kill -TERM "$client"
wait "$client"
code=$?
client=
[ "$code" -ne 0 ] || exit 77
[ "$code" -eq 130 ] || fail "exit $code: $(cat err)"
grep -q 'interrupted; nothing half-written was left' err || fail "$(cat err)"
[ -z "$(ls -A out)" ] || fail "left behind: $(ls -A out)"
