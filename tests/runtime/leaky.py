"""A small cell with its derivative, both written by hand, and the plain loop over it that its scans are held to.

    z = x @ W + p + (_keep * h[t-1]) @ (scale * U) + b
    h = LEAK * h[t-1] + (1 - LEAK) * tanh(z)
    c = c[t-1] / 2 + h
    y = h * c

`p` is one for all steps, and so is `_keep`, which training draws.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from cellgen.runtime.declarations import Port
from cellgen.runtime.noise import Draw, keep
from cellgen.runtime.scan import Scan

BATCH, WIDTH, UNITS = 4, 2, 3
LEAK = 0.3
RESET = ("h",)


class State(NamedTuple):
    h: tf.Tensor  # (batch, units)
    c: tf.Tensor  # (batch, units)


def step(state, *, x, p, _keep=1, W, U, b, scale, **_):
    h_prev, c_prev = state
    h = LEAK * h_prev + (1 - LEAK) * tf.tanh(x @ W + p + (_keep * h_prev) @ (scale * U) + b)
    c = c_prev / 2 + h
    return h * c, State(h, c), None


def once(*, U, scale, **_):
    return {"V": scale * U}


def before(*, x, p, W, b, **_):
    return {"_z_x": x @ W + p + b}


def forward(state, *, _z_x, _keep=1, V, **_):
    h_prev, c_prev = state
    h_kept = _keep * h_prev
    t = tf.tanh(_z_x + h_kept @ V)
    h = LEAK * h_prev + (1 - LEAK) * t
    c = c_prev / 2 + h
    return h * c, State(h, c), {"h_kept": h_kept, "t": t, "h": h, "c": c}


def backward(d_y, d_state, *, t, h, c, _keep=1, V_T, **_):
    d_c = d_state.c + d_y * h
    d_h = d_state.h + d_y * c + d_c
    d_z = (1 - LEAK) * d_h * (1 - t * t)
    return State(LEAK * d_h + _keep * (d_z @ V_T), d_c / 2), {"_d_z": d_z}


def after(*, x, h_kept, _d_z, W_T, scale, **_):
    d_U = scale * tf.matmul(h_kept, _d_z, transpose_a=True)
    d_W, d_b = tf.matmul(x, _d_z, transpose_a=True), tf.reduce_sum(_d_z, 0)
    return {"x": _d_z @ W_T, "p": _d_z}, {"W": d_W, "U": d_U, "b": d_b}


def differentiated(**_):
    return ["W", "U", "b"]


def scan(mask=None, rows=3 * BATCH, share=1, reset=RESET):
    """The scan of it, three steps a chunk."""
    return Scan(
        step=step,
        once=once,
        before=before,
        forward=forward,
        backward=backward,
        after=after,
        differentiated=differentiated,
        transposed={"W_T": "W", "V_T": "V"},
        state=State,
        ports={"x": Port(), "p": Port(constant=True)},
        draws={"_keep": Draw(keep, 0.5, held=True)},
        mask=mask,
        reset=reset,
        rows=rows,
        share=share,
        likely=BATCH,
    )


def loop(mask_rule, xs, mask, state, arguments, *, zero_output=False):
    """Step by step -> what `Scan.run` gives, with all sequences: the output's, h's and c's."""
    fresh, output, told = state, tf.zeros_like(state.h), []
    for t in range(xs["x"].shape[1]):
        here = {name: values[:, 0 if values.shape[1] == 1 else t] for name, values in xs.items()}
        counts = tf.constant(True) if mask is None else mask[:, t]
        start = state
        if mask_rule == "reset":
            start = State(tf.where(counts, state.h, fresh.h), state.c)
        new_output, new, _ = step(start, **here, **arguments)
        if mask_rule == "hold":
            new = State(*(tf.where(counts, after, before) for after, before in zip(new, state)))
            new_output = tf.where(counts, new_output, tf.zeros_like(output) if zero_output else output)
        output, state = new_output, new
        told.append((output, *state))
    return output, state, [tf.stack(values) for values in zip(*told)]


# --- what it is tried with ------------------------------------------------------------------------------------------


def masks(time):
    """(batch, time, 1): holes, a sample that always counts and one that never does."""
    mask = np.random.default_rng(3).random((BATCH, time, 1)) < 0.6
    mask[0], mask[1] = True, False
    return tf.constant(mask)


def given(time, noise=False, seed=0):
    """Inputs, a state and arguments: (xs, state, arguments)."""
    rng = np.random.default_rng(seed)

    def drawn(*shape):
        return tf.constant(rng.normal(scale=0.7, size=shape))

    xs = {"x": drawn(BATCH, time, WIDTH), "p": drawn(BATCH, 1, UNITS)}
    if noise:
        xs["_keep"] = tf.constant(2.0 * (rng.random((BATCH, 1, UNITS)) < 0.5))
    weights = {"W": drawn(WIDTH, UNITS), "U": drawn(UNITS, UNITS), "b": drawn(UNITS)}
    return xs, State(drawn(BATCH, UNITS), drawn(BATCH, UNITS)), {**weights, "scale": 0.8}


def sources(xs, state, arguments):
    """What is differentiated by: x, p, the two states, the weights."""
    return [xs["x"], xs["p"], *state, arguments["W"], arguments["U"], arguments["b"]]


def loss(results):
    """A number that every part of the results has another share in."""
    return tf.add_n(
        [tf.reduce_sum(tf.sin((2 + place) * value)) for place, value in enumerate(tf.nest.flatten(results))]
    )
