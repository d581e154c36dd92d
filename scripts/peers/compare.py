"""Runs vaectl and PyTorch in turns on this machine and prints a table of times.

    make bench-peers                          on the digits in the repository
    VAECTL_DATA=~/mnist make bench-peers      on the full MNIST

It needs numpy, PyTorch and a fast BLAS for it: on Debian the packages python3-torch
and libopenblas0-pthread. It installs nothing. The machine should have nothing else
to do: PyTorch's threads wait for one another, and a busy core costs it more than it
costs vaectl.

1. Both must be the same model: a model file that vaectl trains must give the same
   manifold, to one gray level, and the same latent vectors in both.
2. A calibration finds PyTorch's fastest setting for training, for encoding and for
   decoding: one thread or as many as there are cores, OMP_PROC_BIND set or not,
   contiguous or channels_last, and what torch_vae.py lists. (OPENBLAS_NUM_THREADS is
   always 1: OpenBLAS's threads beside PyTorch's own slow it down several times.)
3. vaectl and PyTorch take turns with each task. The table, Markdown on stdout, has
   the medians. Everything else goes to stderr.

vaectl runs as it does by default, on all cores, in batches of 16 to train and of 32
to encode and decode.
"""

import argparse
import itertools
import json
import os
import platform
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
TORCH = os.path.join(HERE, "torch_vae.py")
SAMPLE = os.path.join(HERE, "..", "..", "mnist", "sample")
LAYOUTS = ["contiguous", "channels_last"]
UPSAMPLES = ["conv_transpose2d", "conv2d_input"]
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def say(text):
    print(text, file=sys.stderr, flush=True)


def stop(text):
    sys.exit("compare.py: " + text)


def output(command, env=None):
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        stop(f"{' '.join(command[:3])} failed:\n{done.stderr}")
    return done.stdout


def torch(arguments, threads=1, bind=False):
    env = {k: v for k, v in os.environ.items() if k != "OMP_PROC_BIND"}
    env.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS=str(threads))
    if bind:
        env["OMP_PROC_BIND"] = "true"
    return output([sys.executable, TORCH, *arguments], env)


def check_torch():
    """PyTorch's versions, or an exit that says what to install."""
    try:
        import torch as _  # noqa: F401  (numpy comes with it)
        import numpy as _  # noqa: F401
    except ImportError as e:
        stop(f"{e} in {sys.executable}\nhint: apt-get install python3-torch libopenblas0-pthread, "
             "and PYTHON=/usr/bin/python3 if another python3 comes first")
    info = json.loads(torch(["info"]))
    if info["blas"] == "reference":
        stop("PyTorch multiplies with the reference BLAS here, which would be an unfair comparison\n"
             "hint: apt-get install libopenblas0-pthread")
    if not info["onednn"]:
        stop("this PyTorch was built without oneDNN, which would be an unfair comparison")
    return info


# 1. The same model.

def gray_png(path):
    """The rows of an 8-bit grayscale PNG, not interlaced."""
    data = open(path, "rb").read()
    at, body = 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        chunk = data[at + 8 : at + 8 + size]
        if kind == b"IHDR":
            width, height = struct.unpack(">2I", chunk[:8])
        elif kind == b"IDAT":
            body += chunk
        at += 12 + size
    raw, rows, above = zlib.decompress(body), [], bytes(width)
    for y in range(height):
        filter_, *line = raw[y * (width + 1) : (y + 1) * (width + 1)]
        row = bytearray()
        for x, v in enumerate(line):
            a, b = (row[x - 1] if x else 0), above[x]
            c = above[x - 1] if x else 0
            paeth = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
            row.append((v + (0, a, b, (a + b) // 2, paeth)[filter_]) % 256)
        rows.append(bytes(row))
        above = row
    return rows


def check_same(vaectl, model, data, scratch):
    """Stops unless every variant that will be timed agrees with vaectl."""
    n = 200
    ours, theirs = os.path.join(scratch, "ours.png"), os.path.join(scratch, "theirs.png")
    output([vaectl, "grid", "--n", "15", "-m", model, "-o", ours])
    images = next(os.path.join(data, f) for f in sorted(os.listdir(data))
                  if f.startswith(("train-images-idx3-ubyte", "train-images.idx3-ubyte")))
    rows = output([vaectl, "encode", "-m", model, images]).splitlines()[1 : n + 1]
    z = [[float(v) for v in row.split(",")[2:]] for row in rows]
    picture = gray_png(ours)

    gray, apart = 0, 0.0
    for layout in LAYOUTS:
        setting = {"layout": layout}
        other = json.loads(torch(["encode", model, data, str(n), json.dumps(setting)]))
        apart = max(apart, *(abs(p - q) / (1 + abs(q)) for r, s in zip(z, other, strict=True) for p, q in zip(r, s)))
        for setting["upsample"] in UPSAMPLES:
            torch(["grid", model, theirs, "1", json.dumps(setting)])
            for r, s in zip(picture, gray_png(theirs), strict=True):
                gray = max(gray, *(abs(p - q) for p, q in zip(r, s, strict=True)))
    say(f"the same model in both: gray levels differ by at most {gray}, latent vectors by {apart:.1g}")
    if gray > 1 or apart > 1e-4:
        stop("vaectl and torch_vae.py do not compute the same")


# 2. PyTorch's best setting.

def settings(task):
    """What is tried within one process."""
    axes = {"layout": LAYOUTS}
    if task != "encode":
        axes["upsample"] = UPSAMPLES
    if task == "train":
        axes["update"] = ["loop", "foreach"]
    else:
        axes["form"] = ["eager", "jit"]
        axes["batch"] = [16, 64, 250]
    for values in itertools.product(*axes.values()):
        setting = dict(zip(axes, values))
        if (setting.get("form"), setting.get("upsample")) != ("jit", "conv2d_input"):
            yield setting


def time_torch(task, images, threads, bind, tried, files):
    command = ["time", task, *files, str(images), str(threads), *map(json.dumps, tried)]
    return [json.loads(line) for line in torch(command, threads, bind).splitlines()]


def calibrate(task, images, files):
    """(seconds, threads, bind, setting) of the fastest."""
    best = None
    for threads, bind in itertools.product(sorted({1, CORES}), [False, True]):
        timed = time_torch(task, images, threads, bind, list(settings(task)), files)
        fastest = min(timed, key=lambda t: t["seconds"])
        say(f"  {task}, {describe(threads, bind, fastest['setting'])}: "
            f"{fastest['seconds']:.2f} s for {images} images, the best of {len(timed)}")
        if best is None or fastest["seconds"] < best[0]:
            best = (fastest["seconds"], threads, bind, fastest["setting"])
    return best


def describe(threads, bind, setting):
    words = [f"{threads} thread" + "s" * (threads > 1), "OMP_PROC_BIND=true" if bind else "OMP_PROC_BIND unset"]
    words += [f"batch {value}" if key == "batch" else value for key, value in setting.items()]
    return ", ".join(words)


# 3. In turns.

def time_vaectl(vaectl, section, name, images, data):
    """The seconds of one row of vaectl bench."""
    report = json.loads(output([vaectl, "bench", "--only", section, "--samples", str(images),
                                "--time", "0", "--data", data, "--json"]))
    (seconds,) = [r["seconds"] for r in report["results"] if r["name"] == name]
    return seconds


def wall(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def machine():
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as f:
            name = next(line.split(":", 1)[1].strip() for line in f if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{name}, {CORES} core" + "s" * (CORES > 1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--vaectl", required=True, help="the binary that `make build` makes")
    parser.add_argument("--data", default=os.environ.get("VAECTL_DATA") or SAMPLE,
                        help="directory of MNIST's IDX files (default $VAECTL_DATA, or the digits in the repository)")
    parser.add_argument("--train-images", type=int, default=6000, help="images to train on in a turn")
    parser.add_argument("--images", type=int, default=10_000, help="images to encode and to decode in a turn")
    parser.add_argument("--calibrate", type=int, default=480, help="images to try each of PyTorch's settings on")
    parser.add_argument("--turns", type=int, default=3)
    o = parser.parse_args()
    if not os.access(o.vaectl, os.X_OK):
        stop(f"{o.vaectl} is not there\nhint: make build")
    if not os.path.isdir(o.data):
        stop(f"{o.data} is not a directory")
    vaectl = os.path.abspath(o.vaectl)
    info = check_torch()
    if os.getloadavg()[0] > 0.5:
        say(f"note: the load is {os.getloadavg()[0]:.1f}; the figures will be of little use unless that comes down")

    with tempfile.TemporaryDirectory() as scratch:
        model = os.path.join(scratch, "vae.safetensors")
        files = [o.data, model]
        say("training a model for both")
        output([vaectl, "train", "--data", o.data, "--limit-train", "3200", "--limit-val", "16",
                "--epochs", "1", "--quiet", "-m", model])
        check_same(vaectl, model, o.data, scratch)

        say("calibrating PyTorch")
        best = {task: calibrate(task, n, files)[1:] for task, n in
                (("train", o.calibrate), ("encode", 2 * o.calibrate), ("decode", 2 * o.calibrate))}

        def peer(task, images, scale):
            threads, bind, setting = best[task]
            (timed,) = time_torch(task, images, threads, bind, [setting], files)
            return timed["seconds"] * scale / images

        def mine(section, name, images):
            return time_vaectl(vaectl, section, name, images, o.data)

        png = os.path.join(scratch, "grid.png")
        threads, bind, setting = best["decode"]
        draw = ["grid", model, png, str(threads), json.dumps(setting)]
        tasks = {
            "epoch": (lambda: mine("training", "epoch of 60,000", o.train_images),
                      lambda: peer("train", o.train_images, 60_000)),
            "encode": (lambda: mine("throughput", "encode 10,000", o.images),
                       lambda: peer("encode", o.images, 10_000)),
            "decode": (lambda: mine("throughput", "decode 10,000", o.images),
                       lambda: peer("decode", o.images, 10_000)),
            "grid": (lambda: wall(lambda: output([vaectl, "grid", "--n", "15", "-m", model, "-o", png])),
                     lambda: wall(lambda: torch(draw, threads, bind))),
        }
        times = {name: ([], []) for name in tasks}
        for turn in range(o.turns):
            for name, runs in tasks.items():
                for run, taken in zip(runs, times[name]):
                    taken.append(run())
                say(f"turn {turn + 1}, {name}: vaectl {times[name][0][-1]:.3g} s, PyTorch {times[name][1][-1]:.3g} s")

    print(f"{machine()}; PyTorch {info['torch']} with oneDNN and {info['blas']}, float32.\n")
    print(f"| seconds, medians of {o.turns} turns | vaectl | PyTorch | vaectl / PyTorch |")
    print("| --- | ---: | ---: | ---: |")
    for name, what in (
        ("epoch", f"a training epoch of 60,000, batch 16 (from {o.train_images:,} images a turn)"),
        ("encode", "encoding 10,000 images"),
        ("decode", "decoding 10,000 latent vectors"),
        ("grid", "`grid --n 15`, the whole process"),
    ):
        ours, theirs = map(statistics.median, times[name])
        print(f"| {what} | {ours:.3g} | {theirs:.3g} | {ours / theirs:.2f} |")
    print("\nPyTorch at its best here: " + "; ".join(
        f"{task} with {describe(*setting)}" for task, setting in best.items()) + ".")


if __name__ == "__main__":
    main()
