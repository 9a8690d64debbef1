# The client is killed in the middle of an upload: nothing is left beside its journal, and the same command goes on.
. "$HERE/scenarios/lib.inc"
sh "$MAKE" s 256 512 24
start_server
glovebox put s.mrc --key lab >r 2>err &
client=$!
wait_for 30 stored 20 || fail 'no tile arrived'
kill -9 "$client"
wait "$client" 2>/dev/null
[ $? -eq 137 ] || exit 77
client=
glovebox put s.mrc --key lab --json >r 2>err || fail "the second run failed: $(cat err)"
grep -q 'going on with an upload that was interrupted' err || fail "it began anew: $(cat err)"
[ "$(glovebox list | wc -l)" -eq 1 ] || fail 'a second dataset was made'
[ -z "$(ls "$GLOVEBOX_KEYS/state")" ] || fail 'the journal was left'
