"""Our MRC reader and writer against Python's mrcfile, both ways. TAP on stdout. Usage: peer_mrcfile.py MRC_COPY"""
import io
import os
import subprocess
import sys
import tempfile
import warnings

try:
    import mrcfile
    import numpy as np
except ImportError as missing:
    print(f"1..0 # SKIP {missing}")
    sys.exit(0)

TYPES = {"int8": (np.int8, -128, 127), "int16": (np.int16, -32768, 32767), "uint16": (np.uint16, 0, 65535),
         "float16": (np.float16, -100, 100), "float32": (np.float32, -1e6, 1e6)}
warnings.simplefilter("ignore")
copy, rng, count, failed = sys.argv[1], np.random.default_rng(7), 0, 0


def check(name, problems):
    global count, failed
    count += 1
    failed += bool(problems)
    print(("not ok" if problems else "ok"), count, "-", name)
    for p in problems:
        print("#", p)


def write(path, data, order, volume):
    with mrcfile.new(path, overwrite=True) as m:
        m.set_data(data)
        if not volume:
            m.set_image_stack()
        m.voxel_size = (1.5, 2.5, 3.5)
        m.header.origin.x, m.header.origin.y = -4, 8
    if order == ">":  # the whole file turned round, as a big-endian machine would have written it
        with open(path, "rb") as f:
            raw = f.read()
        head = np.frombuffer(raw[:1024], "<u4").byteswap().tobytes()
        head = bytearray(head)
        head[208:212] = raw[208:212]
        head[212:216] = b"\x11\x11\0\0"
        head[224:1024] = raw[224:1024]
        body = np.frombuffer(raw[1024:], data.dtype).byteswap().tobytes()
        with open(path, "wb") as f:
            f.write(bytes(head) + body)


def compare(original, path, validate=True):
    problems = []
    with mrcfile.open(path) as m:
        back, h = np.asarray(m.data, np.float64), m.header
        said = io.StringIO()
        # mrcfile sums squares in the data's own type: its rms of float16 overflows.
        if validate and not mrcfile.validate(path, print_file=said):
            problems += said.getvalue().splitlines()
        if back.shape != original.shape or not np.array_equal(back, original):
            problems.append(f"data differ: {np.abs(back - original).max()}")
        for word, want in (("dmin", back.min()), ("dmax", back.max()), ("dmean", back.mean()), ("rms", back.std())):
            if abs(float(h[word]) - want) > 1e-6 * (np.abs(back).max() + 1e-30):
                problems.append(f"{word} is {h[word]}, should be {want}")
        voxel = m.voxel_size
        if not np.allclose([voxel.x, voxel.y, voxel.z], [1.5, 2.5, 3.5], rtol=1e-6):
            problems.append(f"voxel size is {voxel}")
        if (h.origin.x, h.origin.y) != (-4, 8):
            problems.append(f"origin is {h.origin}")
    return problems


with tempfile.TemporaryDirectory() as folder:
    source, result = os.path.join(folder, "a.mrc"), os.path.join(folder, "b.mrc")
    for name, (kind, low, high) in TYPES.items():
        for order in "<>":
            shape = tuple(rng.integers(1, 9, 2)) + (int(rng.integers(1, 40)),)
            data = rng.uniform(low, high, shape).astype(kind)
            data.flat[0], data.flat[-1] = low, high
            write(source, data, order, volume=order == "<")
            for target, extra in ((name, []), ("float32", ["rows"])):
                run = subprocess.run([copy, source, result, target, *extra], capture_output=True, text=True)
                problems = [run.stderr] if run.returncode else compare(data.astype(np.float64), result, target != "float16")
                check(f"{name} {order} {'x'.join(map(str, shape))} to {target} {' '.join(extra)}", problems)
    # Rounding to half precision against numpy's, over every magnitude.
    values = (rng.uniform(1, 2, 4096) * np.exp2(rng.uniform(-30, 14.9, 4096)) * rng.choice([-1, 1], 4096)).astype("f4")
    write(source, values.reshape(1, 64, 64), "<", volume=True)
    run = subprocess.run([copy, source, result, "float16"], capture_output=True, text=True)
    want = values.astype(np.float16).astype(np.float64).reshape(1, 64, 64)
    check("rounding to float16 as numpy does", [run.stderr] if run.returncode else compare(want, result, validate=False))
print(f"1..{count}")
sys.exit(failed > 0)
