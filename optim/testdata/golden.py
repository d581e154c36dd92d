"""Ten steps of each optimizer of package optim, written to golden.json.

Run it with Debian's python3-numpy and python3-torch:

    /usr/bin/python3 optim/testdata/golden.py

Two independent references are computed for the same weights and gradients,
which are float32 numbers written out in the JSON:

  weights  the formula in float64, one line a rule, checked here against
           torch.optim in float64;
  bits     the same in numpy's float32, in the order of operations that the Go
           package documents and with subnormal slots set to zero: IEEE 754
           leaves no choice of rounding there, so the Go test demands these bits.
           Beside the weights of each step, the slots after the last one.

How torch.optim's definitions relate to Keras's (checked below to 1e-12):

  RMSprop  torch adds eps after the square root as well: the same.
  Adam     torch divides m by 1-beta1^t and sqrt(v) by sqrt(1-beta2^t) first and
           adds eps then. Both sides of the fraction times sqrt(1-beta2^t) give
           Keras's alpha*m / (sqrt(v) + eps*sqrt(1-beta2^t)), so torch with
           eps / sqrt(1-beta2^t) in step t is Keras with eps.
  SGD      torch keeps b = momentum*b + g and subtracts rate*b; Keras's v is
           -rate*b while the rate is constant, as it is here: the same.
"""

import json
import math
import os

import numpy as np
import torch

STEPS = 10
RATE = 0.001
RHO, BETA1, BETA2, MOMENTUM, EPS = 0.9, 0.9, 0.999, 0.9, 1e-7
SMALLEST_NORMAL = np.float32(2.0**-126)


def inputs():
    """Weights [16] and gradients [STEPS][16], all exact float32 numbers."""
    random = np.random.RandomState(1)  # a frozen algorithm, the same in every numpy
    t = np.arange(STEPS)
    n = lambda: random.standard_normal(STEPS)
    columns = [
        1e3 * n(), n(), 1e-3 * n(), 1e-5 * n(), 1e-7 * n(), 1e-9 * n(),  # ordinary sizes
        0 * t,                                # never any gradient
        np.where(t == 0, 1, 0),               # one, then none
        np.where(t < 5, 0, 0.5),              # none, then some
        0 * t + 0.25,                         # constant
        np.where(t % 2 == 0, 0.5, -0.5),      # alternating
        1e-20 * n(),                          # its square is subnormal
        1e-30 * n(),                          # its square is zero
        1e18 * n(),                           # its square is near the largest float32
        0 * t + 2.0**-126,                    # itself the smallest normal number
        np.where(t < 3, 1e15, 1e-5) * n(),    # huge, then small
    ]
    gradients = np.array(columns).T.astype(np.float32)
    weights = (0.1 * random.standard_normal(len(columns))).astype(np.float32)
    weights[[4, 6, 11, 12, 14]] = 0  # so that the smallest updates show
    return weights, gradients


# The rules in float64. Each is handed the state of the step before and t = 1, 2, ...

def rmsprop64(w, g, state, t):
    s = state.get("mean_square", 0)
    s = RHO * s + (1 - RHO) * g * g
    return w - RATE * g / (np.sqrt(s) + EPS), {"mean_square": s}


def adam64(w, g, state, t):
    m, v = state.get("mean", 0), state.get("mean_square", 0)
    m = BETA1 * m + (1 - BETA1) * g
    v = BETA2 * v + (1 - BETA2) * g * g
    alpha = RATE * math.sqrt(1 - BETA2**t) / (1 - BETA1**t)
    return w - alpha * m / (np.sqrt(v) + EPS), {"mean": m, "mean_square": v}


def sgd64(w, g, state, t):
    v = MOMENTUM * state.get("velocity", 0) - RATE * g
    return w + v, {"velocity": v}


# The same in float32, operation for operation as in Go.

f32 = np.float32


def flush(x):
    return np.where(np.abs(x) < SMALLEST_NORMAL, f32(0), x)


def rmsprop32(w, g, state, t):
    s = state.get("mean_square", np.zeros_like(w))
    s = flush(f32(RHO) * s + f32(1 - RHO) * (g * g))
    return w - f32(RATE) * g / (np.sqrt(s) + f32(EPS)), {"mean_square": s}


def adam32(w, g, state, t):
    zero = np.zeros_like(w)
    m, v = state.get("mean", zero), state.get("mean_square", zero)
    m = flush(m + f32(1 - BETA1) * (g - m))
    v = flush(v + f32(1 - BETA2) * (g * g - v))
    alpha = f32(RATE * math.sqrt(1 - BETA2**t) / (1 - BETA1**t))
    return w - alpha * m / (np.sqrt(v) + f32(EPS)), {"mean": m, "mean_square": v}


def sgd32(w, g, state, t):
    v = flush(f32(MOMENTUM) * state.get("velocity", np.zeros_like(w)) - f32(RATE) * g)
    return w + v, {"velocity": v}


def run(rule, weights, gradients):
    """The weights after each step, and the slots after the last."""
    w, state, history = weights, {}, []
    for t, g in enumerate(gradients, start=1):
        w, state = rule(w, g, state, t)
        history.append(w)
    return np.array(history), state


def run_torch(make, weights, gradients, eps_at=None):
    """The weights after each step of a torch optimizer, in float64."""
    w = torch.tensor(weights, dtype=torch.float64, requires_grad=True)
    optimizer, history = make([w]), []
    for t, g in enumerate(gradients, start=1):
        if eps_at:
            optimizer.param_groups[0]["eps"] = eps_at(t)
        w.grad = torch.tensor(g, dtype=torch.float64)
        optimizer.step()
        history.append(w.detach().numpy().copy())
    return np.array(history)


def main():
    weights, gradients = inputs()
    cases = [
        ("rmsprop", rmsprop64, rmsprop32,
         lambda p: torch.optim.RMSprop(p, lr=RATE, alpha=RHO, eps=EPS), None),
        ("adam", adam64, adam32,
         lambda p: torch.optim.Adam(p, lr=RATE, betas=(BETA1, BETA2), eps=EPS),
         lambda t: EPS / math.sqrt(1 - BETA2**t)),
        ("sgd", sgd64, sgd32,
         lambda p: torch.optim.SGD(p, lr=RATE, momentum=MOMENTUM), None),
    ]
    row = lambda values: [float(x) for x in values]
    golden = {
        "source": "optim/testdata/golden.py",
        "learning_rate": RATE,
        "weights": row(weights),
        "gradients": [row(g) for g in gradients],
        "optimizers": [],
    }
    for name, rule64, rule32, make, eps_at in cases:
        exact, _ = run(rule64, weights.astype(np.float64), gradients.astype(np.float64))
        theirs = run_torch(make, weights, gradients, eps_at)
        np.testing.assert_allclose(exact, theirs, rtol=1e-12, atol=0, err_msg=name)
        rounded, slots = run(rule32, weights, gradients)
        bits = lambda values: [int(b) for b in values.view(np.uint32)]
        assert all(x.dtype == np.float32 for x in (rounded, *slots.values()))
        golden["optimizers"].append({
            "name": name,
            "weights": [[float(f"{x:.12g}") for x in w] for w in exact],
            "bits": [bits(w) for w in rounded],
            "slot_bits": {slot: bits(values) for slot, values in slots.items()},
        })
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden.json")
    with open(path, "w") as out:
        out.write(pretty(golden) + "\n")


def pretty(value, indent=""):
    """JSON with every innermost list on one line."""
    inner = indent + " "
    if isinstance(value, dict):
        rows = [json.dumps(k) + ": " + pretty(v, inner) for k, v in value.items()]
        return "{\n" + ",\n".join(inner + r for r in rows) + "\n" + indent + "}"
    if isinstance(value, list) and any(isinstance(v, (dict, list)) for v in value):
        return "[\n" + ",\n".join(inner + pretty(v, inner) for v in value) + "\n" + indent + "]"
    return json.dumps(value)


if __name__ == "__main__":
    main()
