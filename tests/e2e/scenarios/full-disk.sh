# No space for the volume: exit code 6 at once, nothing left. Needs a small file system of its own (root).
. "$HERE/scenarios/lib.inc"
mkdir small
mount -t tmpfs -o size=1m none small 2>/dev/null || exit 77
trap 'umount small; end' EXIT
glovebox tomo reconstruct "$NEEDLE" --tilts "$TILTS" -o small/o.mrc --plain --thickness 128 2>err
code=$?
[ "$code" -eq 6 ] || fail "exit $code: $(cat err)"
[ -z "$(ls -A small)" ] || fail "left behind: $(ls -A small)"
