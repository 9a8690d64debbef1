# The worker is killed while it computes: the job goes on, and the client never hears of it.
. "$HERE/scenarios/lib.inc"
sh "$MAKE" s 256 128 61
start_server
glovebox tomo reconstruct s.mrc --tilts s.tlt -o o.mrc --key lab >r 2>err &
client=$!
wait_for 60 pgrep -P "$server" -x glovebox-worker >/dev/null || fail "no worker was seen: $(cat err)"
sleep 0.1
pkill -9 -P "$server" -x glovebox-worker || exit 77
wait "$client" || fail "the reconstruction failed: $(cat err)"
client=
glovebox tomo reconstruct s.mrc --tilts s.tlt -o p.mrc --plain --compare >r || fail 'no plaintext volume'
[ "$(wc -c <o.mrc)" -eq "$(wc -c <p.mrc)" ]
