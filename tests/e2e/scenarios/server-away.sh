# The server is killed in the middle of an upload and comes back: the same command goes on by itself.
. "$HERE/scenarios/lib.inc"
sh "$MAKE" s 256 512 24
start_server
server_url=http://127.0.0.1:$port
glovebox put s.mrc --key lab --server "$server_url" --retry 60 --json >r 2>err &
client=$!
wait_for 30 stored 20 || fail 'no tile arrived'
kill_server
kill -0 "$client" 2>/dev/null || { cat err; exit 77; } # the upload was over before the kill
sleep 0.5
start_server "$port"
wait "$client" || fail "the upload failed: $(cat err)"
client=
glovebox get "$(id_of r)" -o o.mrc || fail 'the dataset cannot be read'
pixels s.mrc >a
pixels o.mrc >b
cmp a b
