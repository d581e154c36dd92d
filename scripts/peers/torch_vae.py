"""The model, the recipe and the data of vaectl in PyTorch, to be timed beside it.

compare.py runs this file; each use is a process of its own, because some settings
(OMP_PROC_BIND, OPENBLAS_NUM_THREADS) are read once, when PyTorch starts.

    info                                            versions, as JSON
    time TASK DATA MODEL IMAGES THREADS SETTING...  seconds, a line of JSON for each
    grid MODEL OUT THREADS SETTING                  what `vaectl grid --n 15` does
    encode MODEL DATA N SETTING                     z_mean of N images, as JSON

TASK is train, encode or decode. A setting is a JSON object:

    layout    contiguous or channels_last
    upsample  conv_transpose2d, the layer by its name, or conv2d_input, the same
              numbers as the data gradient of a convolution; oneDNN, in the PyTorch of
              Debian 12, computes the second but not the first
    update    train: loop or foreach, the two forms of torch.optim.RMSprop
    form      encode, decode: eager, or jit, which traces, freezes and fuses (it cannot
              trace conv2d_input)
    batch     encode, decode: images at a time; training has 16

What is timed. train: a steady loop of whole steps, which pick a batch of the pixels
in memory by a shuffled order, draw noise, go forward and back, update, and read the
loss. encode: from pixels (bytes) in memory to z_mean and z_log_var in memory.
decode: from latent vectors to probabilities in memory. Start-up, the reading of
files and the first turns, which warm up, are left out. vaectl bench does the same.
"""

import argparse
import gzip
import json
import math
import os
import struct
import sys
import time
import zlib

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.grad import conv2d_input

WARM_UP = 5  # turns; the first of all choose algorithms, compile and fill caches

# Subnormal numbers are slow on many processors; vaectl flushes them too.
torch.set_flush_denormal(True)


class Encoder(nn.Module):
    def __init__(self, setting):
        super().__init__()
        self.channels_last = setting["layout"] == "channels_last"
        self.conv1 = nn.Conv2d(1, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, stride=2)
        self.conv3 = nn.Conv2d(64, 64, 3, padding=1)
        self.conv4 = nn.Conv2d(64, 64, 3, padding=1)
        self.dense = nn.Linear(14 * 14 * 64, 32)
        self.z_mean = nn.Linear(32, 2)
        self.z_log_var = nn.Linear(32, 2)

    def forward(self, x):
        h = F.relu(self.conv1(x))
        # TensorFlow's 'same' with stride 2: no zeros before, one after.
        h = F.relu(self.conv2(F.pad(h, (0, 1, 0, 1))))
        h = F.relu(self.conv3(h))
        h = F.relu(self.conv4(h))
        if self.channels_last:  # flatten as it lies in memory
            h = h.permute(0, 2, 3, 1)
        h = F.relu(self.dense(h.flatten(1)))
        return self.z_mean(h), self.z_log_var(h)


class Decoder(nn.Module):
    """From z to logits."""

    def __init__(self, setting):
        super().__init__()
        self.channels_last = setting["layout"] == "channels_last"
        self.upsample = setting.get("upsample", "conv_transpose2d")
        self.dense = nn.Linear(2, 14 * 14 * 64)
        self.conv_transpose = nn.ConvTranspose2d(64, 32, 3, stride=2)
        self.conv_out = nn.Conv2d(32, 1, 3, padding=1)

    def forward(self, z):
        h = F.relu(self.dense(z))
        if self.channels_last:
            h = h.unflatten(1, (14, 14, 64)).permute(0, 3, 1, 2)
        else:
            h = h.unflatten(1, (64, 14, 14))
        up = self.conv_transpose
        if self.upsample == "conv2d_input":
            h = conv2d_input((len(z), 32, 29, 29), up.weight, h, stride=2)
            h = h[:, :, :28, :28] + up.bias.view(-1, 1, 1)
        else:
            h = up(h)[:, :, :28, :28]
        return self.conv_out(F.relu(h))


class Probabilities(Decoder):
    def forward(self, z):
        return torch.sigmoid(super().forward(z))


def build(kind, setting, tensors=None):
    """A module in the setting's layout, with Glorot's weights or those given."""
    module = kind(setting)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
            else:
                parameter.zero_()
        if tensors is not None:
            prefix = "encoder." if kind is Encoder else "decoder."
            for name, layer in module.named_children():
                kernel = torch.from_numpy(tensors[prefix + name + ".kernel"].copy())
                bias = torch.from_numpy(tensors[prefix + name + ".bias"].copy())
                if kernel.dim() == 4:  # both kinds of convolution
                    kernel = kernel.permute(3, 2, 0, 1)
                elif not module.channels_last and prefix + name == "encoder.dense":
                    kernel = kernel.view(14, 14, 64, 32).permute(3, 2, 0, 1).flatten(1)
                elif not module.channels_last and prefix + name == "decoder.dense":
                    kernel = kernel.view(2, 14, 14, 64).permute(3, 1, 2, 0).reshape(-1, 2)
                    bias = bias.view(14, 14, 64).permute(2, 0, 1).flatten()
                else:
                    kernel = kernel.t()
                layer.weight.copy_(kernel)
                layer.bias.copy_(bias)
    if module.channels_last:
        module = module.to(memory_format=torch.channels_last)
    return module


def to_input(pixels):
    """[n, 28, 28] bytes as floats [n, 1, 28, 28] from 0 to 1."""
    return pixels.unsqueeze(1).to(torch.float32).div_(255)


# Timing.

def steady(images, size, turn):
    """Seconds that `images` images take, `size` a turn, after turns that warm up."""
    turns = math.ceil(images / size)
    for i in range(WARM_UP):
        turn(i)
    start = time.perf_counter()
    for i in range(WARM_UP, WARM_UP + turns):
        turn(i)
    return (time.perf_counter() - start) * images / (turns * size)


def time_train(setting, pixels, _, images):
    size, kl_weight = 16, 5e-4
    torch.manual_seed(1)
    encoder, decoder = build(Encoder, setting), build(Decoder, setting)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.RMSprop(
        parameters, lr=0.001, alpha=0.9, eps=1e-7, foreach=setting["update"] == "foreach")
    batches = torch.randperm(len(pixels))[: len(pixels) // size * size].split(size)

    def step(i):
        x = to_input(pixels[batches[i % len(batches)]])
        mean, log_var = encoder(x)
        z = mean + log_var.exp() * torch.randn_like(mean)
        reconstruction = F.binary_cross_entropy_with_logits(decoder(z), x)
        kl = -kl_weight * (1 + log_var - mean.square() - log_var.exp()).mean()
        loss = reconstruction + kl
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.item()

    return steady(images, size, step)


def frozen(module, setting, example):
    module.eval()
    if setting["form"] == "eager":
        return module
    return torch.jit.optimize_for_inference(torch.jit.trace(module, example))


def time_encode(setting, pixels, tensors, images):
    size = setting["batch"]
    starts = [i * size % (len(pixels) - size + 1) for i in range(1 + images // size)]
    with torch.no_grad():
        encoder = frozen(build(Encoder, setting, tensors), setting, to_input(pixels[:size]))

        def turn(i):
            at = starts[i % len(starts)]
            encoder(to_input(pixels[at : at + size]))

        return steady(images, size, turn)


def time_decode(setting, _, tensors, images):
    z = torch.randn(setting["batch"], 2)
    with torch.no_grad():
        decoder = frozen(build(Probabilities, setting, tensors), setting, z)
        return steady(images, len(z), lambda _: decoder(z))


# Files.

def read_images(directory):
    """The training set's pixels, [n, 28, 28] bytes."""
    for name in ("train-images-idx3-ubyte", "train-images.idx3-ubyte"):
        path = os.path.join(directory, name)
        if os.path.exists(path):
            return parse_images(open(path, "rb").read())
        if os.path.exists(path + ".gz"):
            return parse_images(gzip.open(path + ".gz").read())
    sys.exit(f"no train-images-idx3-ubyte or .gz in {directory}")


def parse_images(data):
    magic, n, rows, columns = struct.unpack(">4I", data[:16])
    if (magic, rows, columns, len(data)) != (0x803, 28, 28, 16 + n * 784):
        sys.exit("the training images are not an IDX file of 28x28 images")
    return torch.from_numpy(np.frombuffer(data, np.uint8, offset=16).reshape(n, 28, 28).copy())


def read_model(path):
    """A model file's tensors by name; safetensors is a length, JSON and the numbers."""
    with open(path, "rb") as f:
        (size,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(size))
        data = f.read()
    header.pop("__metadata__")
    return {name: np.frombuffer(data[slice(*t["data_offsets"])], "<f4").reshape(t["shape"])
            for name, t in header.items()}


def write_png(path, gray):
    """gray [h, w] bytes, as an 8-bit PNG: three chunks, every row with filter 0."""
    h, w = gray.shape
    rows = np.zeros((h, w + 1), np.uint8)
    rows[:, 1:] = gray
    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n")
        for kind, body in (
            (b"IHDR", struct.pack(">2I5B", w, h, 8, 0, 0, 0, 0)),
            (b"IDAT", zlib.compress(rows.tobytes())),
            (b"IEND", b""),
        ):
            f.write(struct.pack(">I", len(body)) + kind + body)
            f.write(struct.pack(">I", zlib.crc32(kind + body)))


def grid(model, out, setting, n=15):
    from statistics import NormalDist

    q = torch.tensor([NormalDist().inv_cdf(0.05 + 0.9 * i / (n - 1)) for i in range(n)])
    z = torch.stack([q.repeat(n), q.repeat_interleave(n)], dim=1)  # z_1 right, z_2 down
    with torch.no_grad():
        p = build(Probabilities, setting, read_model(model))(z)
    sheet = p.view(n, n, 28, 28).permute(0, 2, 1, 3).reshape(28 * n, 28 * n)
    write_png(out, (sheet * 255 + 0.5).to(torch.uint8).numpy())


def encode(model, data, n, setting):
    with torch.no_grad():
        mean, _ = build(Encoder, setting, read_model(model))(to_input(read_images(data)[:n]))
    print(json.dumps(mean.tolist()))


def info():
    blas = "MKL" if torch.backends.mkl.is_available() else "unknown"
    if blas == "unknown" and os.path.exists("/proc/self/maps"):
        maps = open("/proc/self/maps").read().lower()
        blas = next((b for b in ("OpenBLAS", "BLIS", "ATLAS") if "lib" + b.lower() in maps), "reference")
    print(json.dumps({
        "torch": torch.__version__,
        "onednn": torch.backends.mkldnn.is_available(),
        "blas": blas,
    }))


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name, *arguments, several=False):
        sub = commands.add_parser(name)
        for argument in arguments:
            sub.add_argument(argument, type=int if argument in ("n", "images", "threads") else str)
        if name != "info":
            sub.add_argument("setting", type=json.loads, nargs="+" if several else None)

    command("info")
    command("time", "task", "data", "model", "images", "threads", several=True)
    command("grid", "model", "out", "threads")
    command("encode", "model", "data", "n")
    o = parser.parse_args()

    if "threads" in o:
        torch.set_num_threads(o.threads)
    if o.command == "info":
        info()
    elif o.command == "encode":
        encode(o.model, o.data, o.n, o.setting)
    elif o.command == "grid":
        grid(o.model, o.out, o.setting)
    else:
        timed = {"train": time_train, "encode": time_encode, "decode": time_decode}[o.task]
        pixels, tensors = read_images(o.data), read_model(o.model)
        for setting in o.setting:
            print(json.dumps({"setting": setting, "seconds": timed(setting, pixels, tensors, o.images)}), flush=True)


if __name__ == "__main__":
    main()
