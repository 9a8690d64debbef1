# A worker that dies each time: the job fails cleanly, the command says so, and no volume is left.
. "$HERE/scenarios/lib.inc"
sh "$MAKE" s 256 128 61
start_server
glovebox tomo reconstruct s.mrc --tilts s.tlt -o o.mrc --key lab >r 2>err &
client=$!
while kill -0 "$client" 2>/dev/null; do
    pkill -9 -P "$server" -x glovebox-worker 2>/dev/null
    sleep 0.01
done
wait "$client"
code=$?
client=
[ "$code" -ne 0 ] || exit 77
[ "$code" -eq 5 ] || fail "exit $code: $(cat err)"
grep -q 'job [0-9a-f]* failed' err || fail "$(cat err)"
[ ! -e o.mrc ] || fail 'a volume was left'
glovebox job list | grep -q failed || fail 'the job is not listed as failed'
