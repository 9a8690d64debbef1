#!/bin/sh
# Makes an MRC file of mode 0 (signed bytes) and the tilt angles for it, for the tests: a reproducible pattern.
#   make-mrc.sh NAME NX NY NZ     writes NAME.mrc and NAME.tlt
set -eu
name=$1 nx=$2 ny=$3 nz=$4

word() { # a little-endian 32-bit word
    # shellcheck disable=SC2059  # the format is the data
    printf "$(printf '\\%03o\\%03o\\%03o\\%03o' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255)))"
}
zeros() { head -c "$1" /dev/zero; }

{
    for v in "$nx" "$ny" "$nz" 0 0 0 0 "$nx" "$ny" "$nz"; do word "$v"; done # size, mode, start, intervals
    zeros 24                                                                # cell: not given
    for v in 1 2 3; do word $v; done                                         # axes
    zeros 132                                                               # statistics, space group, extra
    printf 'MAP '
    printf '\104\104\000\000' # little-endian
    zeros 808
} >"$name.mrc"
# A pattern of all small values with a long period, cut to size.
i=0
: >"$name.pattern"
while [ $i -lt 40 ]; do
    printf '\001\005\002\011\040\003\077\000\022\007\052\016\034\001\060\%03o\%03o' $((i % 64)) $((i * 7 % 64)) >>"$name.pattern"
    i=$((i + 1))
done
bytes=$((nx * ny * nz))
while [ "$(wc -c <"$name.pattern")" -lt "$bytes" ]; do
    cat "$name.pattern" "$name.pattern" >"$name.twice"
    printf '\013' >>"$name.twice"
    mv "$name.twice" "$name.pattern"
done
head -c "$bytes" "$name.pattern" >>"$name.mrc"
rm -f "$name.pattern"
i=0
while [ $i -lt "$nz" ]; do
    echo $((i * 120 / nz - 60))
    i=$((i + 1))
done >"$name.tlt"
