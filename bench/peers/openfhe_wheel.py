"""openfhe_wheel.py OURS.json OUT.json: times OpenFHE's Python wheel at the rows of bench/engine.c, prints both and the
ratio, and adds records in the form of glovebox-bench to OUT.json. Medians of at least three runs, in CPU seconds of one
thread. The wheel is OpenFHE as published: built by gcc for any x86-64, without HEXL."""

import json
import math
import os
import statistics
import sys
import time

import openfhe

PEER = f"OpenFHE {openfhe.__version__}"

# log2 N, data limbs, digits of the key, and the rows of bench/engine.c. The first prime has 60 bits, the others 40, the
# special ones 60.
CKKS = [
    (13, 3, 3, {"mul+relin+rescale": "N=2^13 L=3+1"}),
    (14, 8, 8, {"mul+relin+rescale": "N=2^14 L=8+1"}),
    (14, 6, 3, {"relinearise": "N=2^14 L=6+2 d=3"}),
    (
        15,
        15,
        3,
        {
            "relinearise": "N=2^15 L=15+4 d=3",
            "rotate": "N=2^15 L=15+4 d=3",
            "rotate, hoisted": "N=2^15 L=15+4 d=3",
            "encrypt, public key": "N=2^15 L=15",
            "decrypt+decode": "N=2^15 L=15",
            "keygen, relin": "N=2^15 L=15+4 d=3",
        },
    ),
    (16, 30, 3, {"relinearise": "N=2^16 L=30+9 d=3"}),
]
# log2 N, a plaintext prime of 20 bits, the depth for which the library takes a modulus of the size of ours (180 and 360
# bits), and the rows.
BFV = [
    (13, 1032193, 2, {"bfv mul+relin": "exact-13, t 20 bits"}),
    (14, 786433, 7, {"bfv mul+relin": "exact-14, t 20 bits"}),
]


def context(parameters):
    made = openfhe.GenCryptoContext(parameters)
    for feature in (openfhe.PKE, openfhe.KEYSWITCH, openfhe.LEVELEDSHE):
        made.Enable(feature)
    return made


def keys(made, rotation):
    pair = made.KeyGen()
    made.EvalMultKeyGen(pair.secretKey)
    if rotation:
        made.EvalRotateKeyGen(pair.secretKey, [1])
    return pair


def ckks(log_n, limbs, digits, wanted):
    """Operation -> (what precedes each run untimed or None, what is timed)."""
    n = 1 << log_n
    p = openfhe.CCParamsCKKSRNS()
    p.SetRingDim(n)
    p.SetMultiplicativeDepth(limbs - 1)
    p.SetScalingModSize(40)
    p.SetFirstModSize(60)
    p.SetScalingTechnique(openfhe.FIXEDMANUAL)
    p.SetKeySwitchTechnique(openfhe.HYBRID)
    p.SetNumLargeDigits(digits)
    p.SetSecurityLevel(openfhe.HEStd_NotSet)  # its estimates change; the standard's table allows these sums
    c = context(p)
    pair = keys(c, "rotate" in wanted)
    message = c.MakeCKKSPackedPlaintext([math.sin(i) for i in range(n // 2)])
    a, b = (c.Encrypt(pair.publicKey, message) for _ in range(2))
    three_parts = c.EvalMultNoRelin(a, b)
    operations = {
        "mul+relin+rescale": (None, lambda _: c.RescaleInPlace(c.EvalMult(a, b))),
        "relinearise": (three_parts.Clone, c.RelinearizeInPlace),
        "encrypt, public key": (None, lambda _: c.Encrypt(pair.publicKey, message)),
        "decrypt+decode": (None, lambda _: c.Decrypt(pair.secretKey, a)),
        "keygen, relin": (openfhe.ClearEvalMultKeys, lambda _: c.EvalMultKeyGen(pair.secretKey)),
    }
    if "rotate" in wanted:
        digits_of_a = c.EvalFastRotationPrecompute(a)
        operations["rotate"] = (None, lambda _: c.EvalRotate(a, 1))
        operations["rotate, hoisted"] = (None, lambda _: c.EvalFastRotation(a, 1, 2 * n, digits_of_a))
    return operations


def bfv(log_n, plain_prime, depth, _):
    n = 1 << log_n
    p = openfhe.CCParamsBFVRNS()
    p.SetRingDim(n)
    p.SetPlaintextModulus(plain_prime)
    p.SetMultiplicativeDepth(depth)
    p.SetKeySwitchTechnique(openfhe.BV)
    p.SetMultiplicationTechnique(openfhe.HPSPOVERQLEVELED)
    c = context(p)
    pair = keys(c, False)
    message = c.MakePackedPlaintext([i % 600 for i in range(n)])
    a, b = (c.Encrypt(pair.publicKey, message) for _ in range(2))
    return {"bfv mul+relin": (None, lambda _: c.EvalMult(a, b))}


def median_ms(prepare, run):
    times = []
    run(prepare() if prepare else None)
    begun = time.monotonic()
    while len(times) < 3 or (time.monotonic() - begun < 2 and len(times) < 51):
        prepared = prepare() if prepare else None
        start = time.thread_time()
        run(prepared)
        times.append(time.thread_time() - start)
    return 1e3 * statistics.median(times)


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        mine = {
            (r["name"], r["parameters"]): r["value"] for r in json.load(f) if r["unit"] == "ms" and r["threads"] == 1
        }
    records = []
    if os.path.exists(sys.argv[2]):
        with open(sys.argv[2], encoding="utf-8") as f:
            records = json.load(f)
    print(f"{'operation':<20} {'parameters':<20} {'Glovebox':>11} {'OpenFHE':>11} {'times faster':>13}   (ms, one thread)")
    worlds = [(ckks, *w) for w in CKKS] + [(bfv, *w) for w in BFV]
    for make, log_n, size, choice, rows in worlds:
        if not any(key in mine for key in rows.items()):
            continue  # --quick left it out
        operations = make(log_n, size, choice, rows)
        for name, parameters in rows.items():
            ms, own = median_ms(*operations[name]), mine.get((name, parameters))
            base = {"parameters": parameters, "isa": "", "threads": 1, "peer": PEER}
            records.append({"name": name, "value": ms, "unit": "ms", **base})
            ratio = f"{ms / own:.3g}" if own else ""
            if own:
                records.append({"name": name, "value": ms / own, "unit": "times faster", **base})
            print(f"{name:<20} {parameters:<20} {f'{own:.3g}' if own else '':>11} {ms:>11.3g} {ratio:>13}", flush=True)
        operations = None
        openfhe.ClearEvalMultKeys()
        openfhe.ReleaseAllContexts()
    with open(sys.argv[2], "w", encoding="utf-8") as f:
        json.dump(records, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
