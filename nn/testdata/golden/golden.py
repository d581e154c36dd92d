"""The whole model in PyTorch's float64: forward, losses, gradients, five steps.

Run it with Debian's python3-torch (which brings numpy):

    /usr/bin/python3 nn/testdata/golden/golden.py

It writes golden.json beside itself; one machine writes the same bytes each time,
another may differ in a twelfth digit. The Go test computes the same inputs by
the formulas below and compares its float32 results.

INPUTS. All come from one function of two integers, exact in float32:

    splitmix64(x): z = x + 0x9e3779b97f4a7c15
                   z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
                   z = (z ^ z>>27) * 0x94d049bb133111eb
                   z ^ z>>31                            (all modulo 2^64)
    u(stream, i) = (splitmix64((stream<<32) + i) >> 40) / 2^24    in [0, 1)

i is a flat index, in the layout that Keras gives the tensor: Conv2D kernels
[kh,kw,in,out], Conv2DTranspose kernels [kh,kw,out,in], Dense kernels [in,out],
images [batch,28,28,1], latent vectors [batch,2].

  weights  The tensors of TENSORS below have the streams 1, 2, 3, ... 20 in that
           order. Kernel: float32((2u-1) * limit) with limit =
           sqrt(6/(fan_in+fan_out)) in float64; for a convolution the fans are
           9*in and 9*out, for a dense layer in and out.
           Bias: float32((2u-1) * 0.1).
  images   Stream 100. byte = floor(256u), or 0 if that is even;
           pixel = float32(byte) / float32(255), a float32 division.
  noise    Stream 101. The k-th draw is float32(u(12k) + ... + u(12k+11) - 6),
           the sum in float64, where it is exact. Step t = 0, 1, ... 4 uses
           k = t*batch*latent + j for element j of the flat [batch,latent].
           The forward pass and the gradients use step 0's.

From there on all is float64, the float32 inputs taken as they are.

THE MODEL is forward() below; naive_losses() states it a second time, in numpy and
from the definitions alone, and the two must agree to 1e-10. TensorFlow's 'same'
padding at stride 2 puts no zeros before and one after the 28 rows;
Conv2DTranspose is that convolution's adjoint, 29 rows cropped to 28. Flattening
is in h, w, c order, although torch keeps channels first.

    book:      z = z_mean + exp(z_log_var) * eps
    standard:  z = z_mean + exp(z_log_var/2) * eps
    reconstruction = mean over batch and pixels of the binary cross-entropy
    kl = mean over the batch of
         -kl_weight * mean over latent of (1 + z_log_var - z_mean^2 - exp(z_log_var))
    loss = reconstruction + kl

The case `book` has kl_weight 5e-4, the program's default. The case `standard`
has 1, so that the KL's gradients are seen beside the reconstruction's.

FIVE STEPS of RMSprop as Keras defines it, learning rate 0.001, rho 0.9:
s = rho*s + (1-rho)*g^2; w = w - rate*g / (sqrt(s) + 1e-7). The images stay, the
noise is step t's. `steps` holds the losses before each step, `weights` what the
five steps leave.

WHAT IS RECORDED of a tensor: its shape; its sum and l2 norm; `projections`, the
inner products with three vectors 2u(200+p, i) - 1, p = 0, 1, 2; and `samples`,
the entries at 32 flat indices, or all where there are no more than 32. The
indices are floor(size * u(300+n, k)), k = 0, 1, ... without repeats, sorted; n
is the tensor's stream, and 0 for images and logits. `inputs` records the inputs
too, so that a wrong generator is told from a wrong model.

The samples of `weights` carry `min_grad`, the smallest |g| of that entry in the
five steps, not counting steps where g is exactly zero (a dead ReLU; the step is
then zero too), and 0 if it is in all five, so that the weight must not have
moved. RMSprop's first steps hardly depend on the size of g, only on its sign, so
where |g| is near float32's rounding of the gradient a weight is free to differ
by some thousandths. Numbers have 12 significant digits.
"""

import json
import math
import os

import numpy as np
import torch
import torch.nn.functional as F

BATCH, LATENT, STEPS = 5, 2, 5
RATE, RHO, EPSILON = 0.001, 0.9, 1e-7
CASES = [("book", 5e-4), ("standard", 1.0)]
SAMPLES = 32

KERNELS = [  # name and shape; each is followed by its bias
    ("encoder.conv1", (3, 3, 1, 32)),
    ("encoder.conv2", (3, 3, 32, 64)),
    ("encoder.conv3", (3, 3, 64, 64)),
    ("encoder.conv4", (3, 3, 64, 64)),
    ("encoder.dense", (14 * 14 * 64, 32)),
    ("encoder.z_mean", (32, LATENT)),
    ("encoder.z_log_var", (32, LATENT)),
    ("decoder.dense", (LATENT, 14 * 14 * 64)),
    ("decoder.conv_transpose", (3, 3, 32, 64)),  # [kh, kw, out, in]
    ("decoder.conv_out", (3, 3, 32, 1)),
]


def tensors():
    """(name, shape) of the 20 tensors in order."""
    for name, shape in KERNELS:
        channels = shape[2] if name == "decoder.conv_transpose" else shape[-1]
        yield name + ".kernel", shape
        yield name + ".bias", (channels,)


TENSORS = list(tensors())
assert sum(math.prod(shape) for _, shape in TENSORS) == 550_629


# Inputs.

def u(stream, count):
    """u(stream, 0..count-1), float64 [count]."""
    z = (np.uint64(stream) << np.uint64(32)) + np.arange(count, dtype=np.uint64)
    z = z + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) / 2**24


def initial_weights():
    """The tensors by name: float32 values in float64 arrays."""
    weights = {}
    for stream, (name, shape) in enumerate(TENSORS, start=1):
        if name.endswith(".bias"):
            limit = 0.1
        else:
            fan_in_and_out = math.prod(shape[:-2]) * (shape[-2] + shape[-1])
            limit = math.sqrt(6 / fan_in_and_out)
        values = (2 * u(stream, math.prod(shape)) - 1) * limit
        weights[name] = values.astype(np.float32).astype(np.float64).reshape(shape)
    return weights


def images():
    """Pixels [BATCH, 28, 28, 1]: float32 values in a float64 array."""
    byte = np.floor(256 * u(100, BATCH * 28 * 28))
    byte = np.where(byte % 2 == 0, 0, byte)
    pixel = byte.astype(np.float32) / np.float32(255)
    assert pixel.dtype == np.float32
    return pixel.astype(np.float64).reshape(BATCH, 28, 28, 1)


def noise(step):
    """Step's draws [BATCH, LATENT]: float32 values in a float64 array."""
    draws = BATCH * LATENT
    all_steps = u(101, 12 * draws * STEPS).reshape(STEPS, draws, 12).sum(axis=2) - 6
    values = all_steps[step].astype(np.float32).astype(np.float64)
    return values.reshape(BATCH, LATENT)


# The model in torch. Weights keep Keras's layout and are turned on their way into
# each operation, so that autograd hands the gradients back in Keras's layout.

def conv(x, weights, name, stride=1):
    kernel = weights[name + ".kernel"].permute(3, 2, 0, 1)  # [out, in, kh, kw]
    padding = (1, 1, 1, 1) if stride == 1 else (0, 1, 0, 1)  # left, right, top, bottom
    return F.conv2d(F.pad(x, padding), kernel, weights[name + ".bias"], stride=stride)


def conv_transpose(x, weights, name):
    kernel = weights[name + ".kernel"].permute(3, 2, 0, 1)  # [in, out, kh, kw]
    y = F.conv_transpose2d(x, kernel, weights[name + ".bias"], stride=2)
    return y[:, :, :-1, :-1]


def dense(x, weights, name):
    return x @ weights[name + ".kernel"] + weights[name + ".bias"]


def forward(weights, x, eps, kind):
    """z_mean, z_log_var, z [N, LATENT] and logits [N, 28, 28, 1] of x [N, 28, 28, 1]."""
    h = x.permute(0, 3, 1, 2)
    h = F.relu(conv(h, weights, "encoder.conv1"))
    h = F.relu(conv(h, weights, "encoder.conv2", stride=2))
    h = F.relu(conv(h, weights, "encoder.conv3"))
    h = F.relu(conv(h, weights, "encoder.conv4"))
    h = h.permute(0, 2, 3, 1).reshape(len(x), -1)
    h = F.relu(dense(h, weights, "encoder.dense"))
    z_mean = dense(h, weights, "encoder.z_mean")
    z_log_var = dense(h, weights, "encoder.z_log_var")
    z = z_mean + torch.exp(z_log_var if kind == "book" else z_log_var / 2) * eps
    h = F.relu(dense(z, weights, "decoder.dense"))
    h = h.reshape(len(x), 14, 14, 64).permute(0, 3, 1, 2)
    h = F.relu(conv_transpose(h, weights, "decoder.conv_transpose"))
    logits = conv(h, weights, "decoder.conv_out")
    return z_mean, z_log_var, z, logits.permute(0, 2, 3, 1)


def losses(z_mean, z_log_var, logits, x, kl_weight):
    """reconstruction and kl; the loss is their sum."""
    reconstruction = F.binary_cross_entropy_with_logits(logits, x)
    inner = 1 + z_log_var - z_mean**2 - torch.exp(z_log_var)
    return reconstruction, (-kl_weight * inner.mean(dim=1)).mean()


# The same in numpy, straight from the definitions and with nothing from above.

def naive_same(size, stride):
    """TensorFlow's 'same' padding: the output size, zeros before and after."""
    out = -(-size // stride)
    total = max((out - 1) * stride + 3 - size, 0)
    return out, total // 2, total - total // 2


def naive_conv(x, kernel, bias, stride):
    """x [N,H,W,C] with a kernel [3,3,in,out]."""
    n, h, w, _ = x.shape
    rows, top, bottom = naive_same(h, stride)
    columns, left, right = naive_same(w, stride)
    x = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    y = np.zeros((n, rows, columns, kernel.shape[3]))
    for i in range(rows):
        for j in range(columns):
            window = x[:, i * stride : i * stride + 3, j * stride : j * stride + 3, :]
            y[:, i, j, :] = np.tensordot(window, kernel, axes=3) + bias
    return y


def naive_conv_transpose(x, kernel, bias):
    """x [N,H,W,C] with a kernel [3,3,out,in], stride 2: out[2i+k] += in[i]*kernel[k]."""
    n, h, w, _ = x.shape
    y = np.zeros((n, 2 * h + 1, 2 * w + 1, kernel.shape[2]))
    for i in range(h):
        for j in range(w):
            y[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3, :] += np.einsum(
                "nc,hwoc->nhwo", x[:, i, j, :], kernel)
    return y[:, : 2 * h, : 2 * w, :] + bias


def naive_losses(weights, x, eps, kind, kl_weight):
    """z_mean, z_log_var, z, logits, reconstruction, kl."""
    both = lambda name: (weights[name + ".kernel"], weights[name + ".bias"])
    relu = lambda y: np.maximum(y, 0)

    def matrix(y, name):
        kernel, bias = both(name)
        return y @ kernel + bias

    h = relu(naive_conv(x, *both("encoder.conv1"), 1))
    h = relu(naive_conv(h, *both("encoder.conv2"), 2))
    h = relu(naive_conv(h, *both("encoder.conv3"), 1))
    h = relu(naive_conv(h, *both("encoder.conv4"), 1))
    h = relu(matrix(h.reshape(len(x), -1), "encoder.dense"))
    mean, log_var = matrix(h, "encoder.z_mean"), matrix(h, "encoder.z_log_var")
    z = mean + eps * {"book": np.exp(log_var), "standard": np.sqrt(np.exp(log_var))}[kind]
    h = relu(matrix(z, "decoder.dense")).reshape(len(x), 14, 14, 64)
    h = relu(naive_conv_transpose(h, *both("decoder.conv_transpose")))
    logits = naive_conv(h, *both("decoder.conv_out"), 1)
    p = 1 / (1 + np.exp(-logits))
    reconstruction = -np.mean(x * np.log(p) + (1 - x) * np.log(1 - p))
    kl = np.mean(-kl_weight * np.mean(1 + log_var - mean**2 - np.exp(log_var), axis=1))
    return mean, log_var, z, logits, reconstruction, kl


def scalar_conv(x, kernel, stride, before):
    """One output channel of one image, in scalar loops: x [H][W][C], kernel [3][3][C]."""
    h, w, channels = x.shape
    y = np.zeros((-(-h // stride), -(-w // stride)))
    for i, j in np.ndindex(y.shape):
        for a, b, c in np.ndindex(3, 3, channels):
            r, s = i * stride + a - before, j * stride + b - before
            if 0 <= r < h and 0 <= s < w:
                y[i, j] += x[r, s, c] * kernel[a, b, c]
    return y


def check_small():
    """torch's stride-2 convolution and its transpose against scalar loops, 6x4 pixels."""
    x = u(900, 6 * 4 * 2).reshape(1, 6, 4, 2) - 0.5
    kernel = u(901, 3 * 3 * 2 * 3).reshape(3, 3, 2, 3) - 0.5
    zeros = torch.zeros
    first = lambda a: torch.from_numpy(a).permute(0, 3, 1, 2)

    weights = {"l.kernel": torch.from_numpy(kernel), "l.bias": zeros(3, dtype=torch.float64)}
    y = conv(first(x), weights, "l", stride=2)[0].numpy()
    for o in range(3):
        np.testing.assert_allclose(y[o], scalar_conv(x[0], kernel[..., o], 2, 0), atol=1e-14)

    # As a Conv2DTranspose kernel [kh, kw, out, in] the same takes 3 channels to 2.
    v = u(902, 3 * 2 * 3).reshape(1, 3, 2, 3) - 0.5
    weights["l.bias"] = zeros(2, dtype=torch.float64)
    back = conv_transpose(first(v), weights, "l")[0].numpy()
    want = np.zeros((2, 6, 4))
    for i, j, a, b, o, c in np.ndindex(3, 2, 3, 3, 2, 3):
        if 2 * i + a < 6 and 2 * j + b < 4:
            want[o, 2 * i + a, 2 * j + b] += v[0, i, j, c] * kernel[a, b, o, c]
    np.testing.assert_allclose(back, want, atol=1e-14)

    # The adjoint identity <conv(x), v> = <x, conv_transpose(v)>.
    np.testing.assert_allclose(
        (y * v[0].transpose(2, 0, 1)).sum(), (back * x[0].transpose(2, 0, 1)).sum(), atol=1e-13)


# What is written.

def number(x):
    return float(f"{float(x):.12g}")


def stats(array, stream, min_grad=None):
    """The record of one tensor; see the top of this file."""
    flat = array.reshape(-1)
    if flat.size <= SAMPLES:
        indices = list(range(flat.size))
    else:
        candidates = np.floor(flat.size * u(300 + stream, 4 * SAMPLES)).astype(int)
        indices = sorted(list(dict.fromkeys(candidates.tolist()))[:SAMPLES])
        assert len(indices) == SAMPLES
    samples = []
    for i in indices:
        sample = {"index": i, "value": number(flat[i])}
        if min_grad is not None:
            sample["min_grad"] = number(min_grad.reshape(-1)[i])
        samples.append(sample)
    return {
        "shape": list(array.shape),
        "sum": number(flat.sum()),
        "l2": number(np.sqrt((flat * flat).sum())),
        "projections": [number(flat @ (2 * u(200 + p, flat.size) - 1)) for p in range(3)],
        "samples": samples,
    }


def all_stats(arrays, min_grads=None):
    return [
        {"name": name, **stats(arrays[name], stream, min_grads and min_grads[name])}
        for stream, (name, _) in enumerate(TENSORS, start=1)
    ]


def run_case(kind, kl_weight):
    start = initial_weights()
    weights = {k: torch.tensor(w, requires_grad=True) for k, w in start.items()}
    x = torch.from_numpy(images())
    mean_squares = {k: torch.zeros_like(w) for k, w in weights.items()}
    min_grads = {k: np.full(w.shape, np.inf) for k, w in start.items()}
    steps, case = [], {"noise": kind, "kl_weight": kl_weight}

    for step in range(STEPS):
        eps = noise(step)
        z_mean, z_log_var, z, logits = forward(weights, x, torch.from_numpy(eps), kind)
        reconstruction, kl = losses(z_mean, z_log_var, logits, x, kl_weight)
        loss = reconstruction + kl
        gradients = dict(zip(weights, torch.autograd.grad(loss, list(weights.values()))))
        parts = {"loss": loss, "reconstruction": reconstruction, "kl": kl}
        steps.append({k: number(v) for k, v in parts.items()})

        if step == 0:
            ours = [t.detach().numpy() for t in (z_mean, z_log_var, z, logits, reconstruction, kl)]
            for a, b in zip(ours, naive_losses(start, x.numpy(), eps, kind, kl_weight)):
                np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
            table = lambda a: [[number(v) for v in row] for row in a]
            case.update(
                steps[0], z_mean=table(ours[0]), z_log_var=table(ours[1]), z=table(ours[2]),
                logits=stats(ours[3], 0),
                gradients=all_stats({k: g.numpy() for k, g in gradients.items()}))

        with torch.no_grad():
            for name, w in weights.items():
                g, s = gradients[name], mean_squares[name]
                s.mul_(RHO).add_((1 - RHO) * g * g)
                w.sub_(RATE * g / (torch.sqrt(s) + EPSILON))
                size = np.abs(g.numpy())
                size[size == 0] = np.inf
                np.minimum(min_grads[name], size, out=min_grads[name])

    for size in min_grads.values():
        size[np.isinf(size)] = 0
    case["steps"] = steps
    case["weights"] = all_stats({k: w.detach().numpy() for k, w in weights.items()}, min_grads)
    return case


def pretty(value, indent=""):
    """JSON with every innermost list or object on one line."""
    children = value.values() if isinstance(value, dict) else value
    if not isinstance(value, (dict, list)):
        return json.dumps(value)
    if not any(isinstance(v, (dict, list)) for v in children):
        return json.dumps(value)
    inner = indent + " "
    if isinstance(value, dict):
        rows = [json.dumps(k) + ": " + pretty(v, inner) for k, v in value.items()]
        return "{\n" + ",\n".join(inner + row for row in rows) + "\n" + indent + "}"
    return "[\n" + ",\n".join(inner + pretty(v, inner) for v in value) + "\n" + indent + "]"


def main():
    torch.set_num_threads(1)
    check_small()
    draws = [[number(e) for e in noise(step).reshape(-1)] for step in range(STEPS)]
    golden = {
        "source": "nn/testdata/golden/golden.py",
        "batch": BATCH,
        "latent": LATENT,
        "learning_rate": RATE,
        "inputs": {
            "images": stats(images(), 0),
            "noise": draws,
            "weights": all_stats(initial_weights()),
        },
        "cases": [run_case(kind, kl_weight) for kind, kl_weight in CASES],
    }
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden.json")
    with open(path, "w") as out:
        out.write(pretty(golden) + "\n")


if __name__ == "__main__":
    main()
