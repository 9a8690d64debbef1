# The server goes away for good: the command ends with one line that says how to go on; and then it does go on.
. "$HERE/scenarios/lib.inc"
sh "$MAKE" s 256 512 24
start_server
glovebox put s.mrc --key lab --retry 1 --json >r 2>err &
client=$!
wait_for 30 stored 20 || fail 'no tile arrived'
kill_server
wait "$client"
code=$?
client=
[ "$code" -ne 0 ] || exit 77
[ "$code" -eq 5 ] || fail "exit $code: $(cat err)"
grep -q 'the same command goes on where this one stopped' err || fail "no word on how to go on: $(cat err)"
sent=$(find "$GLOVEBOX_DATA/objects" -type f | wc -l)
start_server
glovebox put s.mrc --key lab --json >r 2>err || fail "the second run failed: $(cat err)"
grep -q 'going on with an upload that was interrupted' err || fail "it began anew: $(cat err)"
[ "$sent" -ge 20 ] || fail 'tiles were lost'
glovebox get "$(id_of r)" -o o.mrc || fail 'the dataset cannot be read'
[ "$(glovebox list | wc -l)" -eq 1 ] || fail 'a second dataset was made'
pixels s.mrc >a
pixels o.mrc >b
cmp a b
