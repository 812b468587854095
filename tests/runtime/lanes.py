"""A small cell whose states of all steps can be found at once, with its derivative, both written by hand.

q = x @ V                                                  follows of the input
c = sigmoid(x @ W + u * h[t-1]) * c[t-1] + q[t-1]          with h a block of two a lane
h = tanh(gain * c) + h[t-1] / 4
z = r * z[t-1] + h                                         affine, lane by lane
y = z * c
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from cellgen.runtime.scan import Scan

BATCH, WIDTH, UNITS = 4, 2, 3
PARTS = {"q": "follows", "c h": "newton", "z": "scan"}
RESET = "c", "z"


class State(NamedTuple):
    c: tf.Tensor  # (batch, units)
    h: tf.Tensor  # (batch, units)
    q: tf.Tensor  # (batch, units)
    z: tf.Tensor  # (batch, units)


def step(state, *, x, W, V, u, r, gain, **_):
    return *forward(state, **before(x=x, W=W, V=V), u=u, r=r, gain=gain)[:2], None


def before(*, x, W, V, **_):
    return {"a": x @ W, "b": x @ V}


def forward(state, *, a, b, u, r, gain, **_):
    c_prev, h_prev, q_prev, z_prev = state
    s = tf.sigmoid(a + u * h_prev)
    c = s * c_prev + q_prev
    t = tf.tanh(gain * c)
    h = t + h_prev / 4
    z = r * z_prev + h
    kept = {"c_prev": c_prev, "h_prev": h_prev, "z_prev": z_prev, "s": s, "c": c, "t": t, "z": z}
    return z * c, State(c, h, b, z), kept


def backward(d_y, d_state, *, c_prev, s, c, t, z, u, r, gain, **_):
    d_z = d_state.z + d_y * c
    d_h = d_state.h + d_z
    d_c = d_state.c + d_y * z + gain * d_h * (1 - t * t)
    d_s = d_c * c_prev * s * (1 - s)
    return State(d_c * s, d_h / 4 + d_s * u, d_c, r * d_z), {"d_s": d_s, "d_q": d_state.q, "d_z": d_z}


def after(*, x, h_prev, z_prev, d_s, d_q, d_z, W_T, V_T, **_):
    d_x = d_s @ W_T + d_q @ V_T
    d_W, d_V = tf.matmul(x, d_s, transpose_a=True), tf.matmul(x, d_q, transpose_a=True)
    return {"x": d_x}, {"W": d_W, "V": d_V, "u": tf.reduce_sum(d_s * h_prev, 0), "r": tf.reduce_sum(d_z * z_prev, 0)}


def scan(mask=None, rows=3 * BATCH, reset=RESET):
    """The scan of it, three steps a chunk of the loop."""
    return Scan(
        step=step,
        before=before,
        forward=forward,
        backward=backward,
        after=after,
        differentiated=lambda **_: ["W", "V", "u", "r"],
        transposed={"W_T": "W", "V_T": "V"},
        state=State,
        mask=mask,
        reset=reset,
        parts=PARTS,
        rows=rows,
        share=1,
        likely=BATCH,
    )


def given(time, gain=1.0, seed=0, dtype="float64"):
    """Inputs, a state and arguments: (xs, state, arguments)."""
    rng = np.random.default_rng(seed)

    def drawn(*shape):
        return tf.constant(rng.normal(scale=0.7, size=shape), dtype)

    weights = {"W": drawn(WIDTH, UNITS), "V": drawn(WIDTH, UNITS), "u": drawn(UNITS), "r": drawn(UNITS)}
    state = State(*(drawn(BATCH, UNITS) for _ in State._fields))
    return {"x": drawn(BATCH, time, WIDTH)}, state, {**weights, "gain": gain}
