"""HMLSTMStack, generated from hm_lstm_stack.yaml. Edit the spec, not this file.

The Hierarchical Multiscale LSTM: layers that see each other, and an output module over the states of all of them.
The last layer has no boundary detector, as in the paper, unless `top_detector` is set.
Chung, Ahn & Bengio 2016, arXiv:1609.01704, eq. 2-12

Every layer is wired to its neighbours:

    h_below = below.h if below else x
    z_below = below.z if below else 1
    h_above = above.h[t-1] if above else none
    detector = true if above else top_detector

and computes what its cell says:

    bottom_up = z_below * (h_below @ W)
    top_down = z[t-1] * (h_above @ V) if h_above else 0
    s = h[t-1] @ U + bottom_up + top_down + b
    f = sigmoid(s.f)
    i = sigmoid(s.i)
    o = sigmoid(s.o)
    g = tanh(s.g)
    copy = (1 - z[t-1]) * (1 - z_below)
    update = (1 - z[t-1]) * z_below
    flush = z[t-1]
    soft = clip((slope * s.z + 1) / 2, 0, 1) if boundary == hard else sigmoid(slope * s.z)
    z_new = straight_through(step(s.z), soft)
    z = (where(copy, z[t-1], z_new) if z_on_copy == hold else z_new) if detector else 0
    c_blend = copy * c[t-1] + update * (f * c[t-1] + i * g) + flush * (i * g)
    c_select = where(copy, c[t-1], where(flush, i * g, f * c[t-1] + i * g))
    c = c_blend if combine == blend else c_select
    h_new = o * tanh(c)
    h = copy * h[t-1] + (1 - copy) * h_new if combine == blend else where(copy, h[t-1], h_new)

The output is read from the states of all layers:

    g = sigmoid(concat(each.h) @ gate)
    y = relu(sum(each.g * (each.h @ each.emb)))

Labels: gates = f, i, o, g, z.
State: one flat tuple, layer 1 first, each layer c, h, z; `named(state)` gives it a layer at a time.
A masked step holds state and output (the output is zero before the first step that counts).

    layer = HMLSTMStack(units=[96, 96, 96], embedding=16, return_sequences=True)
    y = layer(x, mask=mask)  # x (batch, time, input), mask (batch, time) -> y (batch, time, embedding)
    rnn = keras.layers.RNN(HMLSTMStackCell(units=[96, 96, 96], embedding=16))  # the stack alone, wherever a cell goes
"""

import functools
import numbers
import os
from typing import NamedTuple

import tensorflow as tf

keras = tf.keras


class HMLSTMState(NamedTuple):
    """What a layer carries from step to step."""

    c: tf.Tensor  # (batch, units)
    h: tf.Tensor  # (batch, units)
    z: tf.Tensor  # (batch, 1)


class HMLSTMGates(NamedTuple):
    """What is told of each step of a layer, if it is asked for."""

    copy: tf.Tensor  # (batch, 1)
    update: tf.Tensor  # (batch, 1)
    flush: tf.Tensor  # (batch, 1)


# --- the equations of a layer ---------------------------------------------------------------------------------------


def _heaviside(x):
    """1 where x > 0, else 0."""
    return tf.cast(x > 0, x.dtype)


def _straight_through(f, g):
    """f forward, the gradient of g backward."""
    return g + tf.stop_gradient(f - g)


def _layer_step(
    state,
    *,
    x=None,
    below_h=None,
    below_z=None,
    above_h=None,
    W,
    U,
    V,
    b,
    units,
    top_detector,
    combine,
    z_on_copy,
    boundary,
    slope,
    _has_below,
    _has_above,
    **_,
):
    """One step of a layer -> what other layers read besides its state, and the state after it."""
    c_prev, h_prev, z_prev = state
    # h_below = below.h if below else x
    h_below = below_h if _has_below else x
    # z_below = below.z if below else 1
    z_below = below_z if _has_below else 1
    if _has_above:
        # h_above = above.h[t-1] if above else none
        h_above = above_h
    # bottom_up = z_below * (h_below @ W)
    bottom_up = z_below * (h_below @ W)
    # top_down = z[t-1] * (h_above @ V) if h_above else 0
    top_down = z_prev * (h_above @ V) if _has_above else 0
    # s = h[t-1] @ U + bottom_up + top_down + b
    s = h_prev @ U + bottom_up + top_down + b
    s_f, s_i, s_o, s_g, s_z = tf.split(s, [units, units, units, units, 1 if _has_above or top_detector else 0], axis=-1)
    # f = sigmoid(s.f)
    f = tf.sigmoid(s_f)
    # i = sigmoid(s.i)
    i = tf.sigmoid(s_i)
    # o = sigmoid(s.o)
    o = tf.sigmoid(s_o)
    # g = tanh(s.g)
    g = tf.tanh(s_g)
    # copy = (1 - z[t-1]) * (1 - z_below)
    copy = (1 - z_prev) * (1 - z_below)
    # update = (1 - z[t-1]) * z_below
    update = (1 - z_prev) * z_below
    # flush = z[t-1]
    flush = z_prev
    if _has_above or top_detector:
        # soft = clip((slope * s.z + 1) / 2, 0, 1) if boundary == hard else sigmoid(slope * s.z)
        soft = tf.clip_by_value((slope * s_z + 1) / 2, 0, 1) if boundary == "hard" else tf.sigmoid(slope * s_z)
        # z_new = straight_through(step(s.z), soft)
        z_new = _straight_through(_heaviside(s_z), soft)
    # z = (where(copy, z[t-1], z_new) if z_on_copy == hold else z_new) if detector else 0
    z = tf.zeros_like(z_prev) + (
        (tf.where(copy > 0.5, z_prev, z_new) if z_on_copy == "hold" else z_new) if _has_above or top_detector else 0
    )
    if combine == "blend":
        # c_blend = copy * c[t-1] + update * (f * c[t-1] + i * g) + flush * (i * g)
        c_blend = copy * c_prev + update * (f * c_prev + i * g) + flush * (i * g)
    if combine == "select":
        # c_select = where(copy, c[t-1], where(flush, i * g, f * c[t-1] + i * g))
        c_select = tf.where(copy > 0.5, c_prev, tf.where(flush > 0.5, i * g, f * c_prev + i * g))
    # c = c_blend if combine == blend else c_select
    c = c_blend if combine == "blend" else c_select
    # h_new = o * tanh(c)
    h_new = o * tf.tanh(c)
    # h = copy * h[t-1] + (1 - copy) * h_new if combine == blend else where(copy, h[t-1], h_new)
    h = copy * h_prev + (1 - copy) * h_new if combine == "blend" else tf.where(copy > 0.5, h_prev, h_new)
    return {}, HMLSTMState(c, h, z), HMLSTMGates(copy, update, flush)


# --- the equations, as the scan runs them --------------------------------------------------------------------------


def _layer_once(*, W, U, V, _has_above, **_):
    """What reads weights and options alone."""
    # s = h[t-1] @ U + bottom_up + top_down + b
    _U_W_V = tf.concat([U, W, *([V] if _has_above else [])], axis=0)
    return {"_U_W_V": _U_W_V}


def _layer_before(**_):
    """All steps at once: what reads no state -> values by name, each (steps, ...)."""
    return {}


def _layer_forward(
    state,
    *,
    x,
    below_h=None,
    below_z=None,
    above_h=None,
    b,
    units,
    top_detector,
    combine,
    z_on_copy,
    boundary,
    slope,
    _has_below,
    _has_above,
    _U_W_V,
    **_,
):
    """One step of the loop -> what other layers read, state, and what the way back reads."""
    c_prev, h_prev, z_prev = state
    # h_below = below.h if below else x
    h_below = below_h if _has_below else x
    # z_below = below.z if below else 1
    z_below = below_z if _has_below else 1
    if _has_above:
        # h_above = above.h[t-1] if above else none
        h_above = above_h
    # bottom_up = z_below * (h_below @ W)
    _mul_z_below = z_below * h_below
    if _has_above:
        # top_down = z[t-1] * (h_above @ V) if h_above else 0
        _mul_z_prev = z_prev * h_above
    # bottom_up = z_below * (h_below @ W)
    # top_down = z[t-1] * (h_above @ V) if h_above else 0
    # s = h[t-1] @ U + bottom_up + top_down + b
    s = tf.concat([h_prev, _mul_z_below, *([_mul_z_prev] if _has_above else [])], axis=-1) @ _U_W_V + b
    s_f_i_o, s_g, s_z = tf.split(s, [3 * units, units, 1 if _has_above or top_detector else 0], axis=-1)
    # f = sigmoid(s.f)
    # i = sigmoid(s.i)
    # o = sigmoid(s.o)
    _f_i_o = tf.sigmoid(s_f_i_o)
    f, i, o = tf.split(_f_i_o, 3, axis=-1)
    # g = tanh(s.g)
    g = tf.tanh(s_g)
    # copy = (1 - z[t-1]) * (1 - z_below)
    copy = (1 - z_prev) * (1 - z_below)
    # update = (1 - z[t-1]) * z_below
    update = (1 - z_prev) * z_below
    # flush = z[t-1]
    flush = z_prev
    if boundary == "hard" and (_has_above or top_detector):
        # soft = clip((slope * s.z + 1) / 2, 0, 1) if boundary == hard else sigmoid(slope * s.z)
        _soft_div = (slope * s_z + 1) / 2
    if boundary == "sigmoid" and (_has_above or top_detector):
        # soft = clip((slope * s.z + 1) / 2, 0, 1) if boundary == hard else sigmoid(slope * s.z)
        _soft_sigmoid = tf.sigmoid(slope * s_z)
    if _has_above or top_detector:
        # soft = clip((slope * s.z + 1) / 2, 0, 1) if boundary == hard else sigmoid(slope * s.z)
        soft = tf.clip_by_value(_soft_div, 0, 1) if boundary == "hard" else _soft_sigmoid
        # z_new = straight_through(step(s.z), soft)
        z_new = _straight_through(_heaviside(s_z), soft)
    # z = (where(copy, z[t-1], z_new) if z_on_copy == hold else z_new) if detector else 0
    z = tf.zeros_like(z_prev) + (
        (tf.where(copy > 0.5, z_prev, z_new) if z_on_copy == "hold" else z_new) if _has_above or top_detector else 0
    )
    if combine == "blend":
        # c_blend = copy * c[t-1] + update * (f * c[t-1] + i * g) + flush * (i * g)
        _c_blend_add = f * c_prev + i * g
        _mul_i = i * g
        c_blend = copy * c_prev + update * _c_blend_add + flush * _mul_i
    if combine == "select":
        # c_select = where(copy, c[t-1], where(flush, i * g, f * c[t-1] + i * g))
        c_select = tf.where(copy > 0.5, c_prev, tf.where(flush > 0.5, i * g, f * c_prev + i * g))
    # c = c_blend if combine == blend else c_select
    c = c_blend if combine == "blend" else c_select
    # h_new = o * tanh(c)
    _tanh_c = tf.tanh(c)
    h_new = o * _tanh_c
    # h = copy * h[t-1] + (1 - copy) * h_new if combine == blend else where(copy, h[t-1], h_new)
    h = copy * h_prev + (1 - copy) * h_new if combine == "blend" else tf.where(copy > 0.5, h_prev, h_new)
    return (
        {},
        HMLSTMState(c, h, z),
        {
            "c_prev": c_prev,
            "h_prev": h_prev,
            "z_prev": z_prev,
            "_f_i_o": _f_i_o,
            "g": g,
            "_tanh_c": _tanh_c,
            **({"below_h": below_h} if _has_below else {}),
            **({"below_z": below_z} if _has_below else {}),
            **({"above_h": above_h} if _has_above else {}),
            **({"_soft_div": _soft_div} if boundary == "hard" and (_has_above or top_detector) else {}),
            **({"_soft_sigmoid": _soft_sigmoid} if boundary == "sigmoid" and (_has_above or top_detector) else {}),
        },
    )


def _layer_backward(
    _d_state,
    *,
    x,
    below_h=None,
    below_z=None,
    above_h=None,
    c_prev,
    h_prev,
    z_prev,
    _f_i_o,
    g,
    _soft_div=None,
    _soft_sigmoid=None,
    _tanh_c,
    top_detector,
    combine,
    z_on_copy,
    boundary,
    slope,
    _has_below,
    _has_above,
    V_T,
    W_T,
    U_T,
    **_,
):
    """One step back: the derivatives of the loss by what leaves the step -> that by the state before, by what other layers gave, and what `_layer_after` reads.

    `_d_c` is the derivative by `c`, and stands under the equation of `c`; `_d_c_in` that by what its activation is given.
    """
    _d_c_next, _d_h_next, _d_z_next = _d_state
    # f = sigmoid(s.f)
    # i = sigmoid(s.i)
    # o = sigmoid(s.o)
    f, i, o = tf.split(_f_i_o, 3, axis=-1)
    # h_below = below.h if below else x
    h_below = below_h if _has_below else x
    # z_below = below.z if below else 1
    z_below = below_z if _has_below else 1
    if _has_above:
        # h_above = above.h[t-1] if above else none
        h_above = above_h
    # copy = (1 - z[t-1]) * (1 - z_below)
    copy = (1 - z_prev) * (1 - z_below)
    # update = (1 - z[t-1]) * z_below
    update = (1 - z_prev) * z_below
    # flush = z[t-1]
    flush = z_prev
    if combine == "blend":
        # c_blend = copy * c[t-1] + update * (f * c[t-1] + i * g) + flush * (i * g)
        _c_blend_add = f * c_prev + i * g
        _mul_i = i * g
    # h_new = o * tanh(c)
    h_new = o * _tanh_c
    _d_h_new = (
        _d_h_next * (1 - copy) if combine == "blend" else tf.where(copy > 0.5, tf.zeros_like(_d_h_next), _d_h_next)
    )
    # c = c_blend if combine == blend else c_select
    _d_c = _d_c_next + _d_h_new * o * (1 - tf.square(_tanh_c))
    if combine == "blend":
        # c_blend = copy * c[t-1] + update * (f * c[t-1] + i * g) + flush * (i * g)
        _d_c_blend_add = _d_c * update
        _d_mul_i = _d_c * flush
    if _has_above or top_detector:
        # z_new = straight_through(step(s.z), soft)
        _d_z_new = tf.where(copy > 0.5, tf.zeros_like(_d_z_next), _d_z_next) if z_on_copy == "hold" else _d_z_next
    if combine == "blend":
        # flush = z[t-1]
        _d_flush_lanes = _d_c * _mul_i
        # update = (1 - z[t-1]) * z_below
        _d_update_lanes = _d_c * _c_blend_add
        # copy = (1 - z[t-1]) * (1 - z_below)
        _d_copy_lanes = _d_h_next * h_prev - _d_h_next * h_new + _d_c * c_prev
    # g = tanh(s.g)
    _d_g = (
        tf.where(copy > 0.5, tf.zeros_like(_d_c * i), tf.where(flush > 0.5, _d_c * i, tf.zeros_like(_d_c * i)))
        + tf.where(copy > 0.5, tf.zeros_like(_d_c * i), tf.where(flush > 0.5, tf.zeros_like(_d_c * i), _d_c * i))
        if combine == "select"
        else _d_c_blend_add * i + _d_mul_i * i
    )
    # o = sigmoid(s.o)
    _d_o = _d_h_new * _tanh_c
    # i = sigmoid(s.i)
    _d_i = (
        tf.where(copy > 0.5, tf.zeros_like(_d_c * g), tf.where(flush > 0.5, _d_c * g, tf.zeros_like(_d_c * g)))
        + tf.where(copy > 0.5, tf.zeros_like(_d_c * g), tf.where(flush > 0.5, tf.zeros_like(_d_c * g), _d_c * g))
        if combine == "select"
        else _d_c_blend_add * g + _d_mul_i * g
    )
    # f = sigmoid(s.f)
    _d_f = (
        tf.where(
            copy > 0.5, tf.zeros_like(_d_c * c_prev), tf.where(flush > 0.5, tf.zeros_like(_d_c * c_prev), _d_c * c_prev)
        )
        if combine == "select"
        else _d_c_blend_add * c_prev
    )
    # s = h[t-1] @ U + bottom_up + top_down + b
    _d_s = tf.concat(
        [
            _d_f * f * (1 - f),
            _d_i * i * (1 - i),
            _d_o * o * (1 - o),
            _d_g * (1 - tf.square(g)),
            *(
                [
                    tf.where(
                        _soft_div < 0,
                        tf.zeros_like(_d_z_new),
                        tf.where(_soft_div > 1, tf.zeros_like(_d_z_new), _d_z_new),
                    )
                    / 2
                    * slope
                    if boundary == "hard"
                    else _d_z_new * _soft_sigmoid * (1 - _soft_sigmoid) * slope
                ]
                if _has_above or top_detector
                else []
            ),
        ],
        axis=-1,
    )
    if _has_above:
        # top_down = z[t-1] * (h_above @ V) if h_above else 0
        _d_mul_z_prev = _d_s @ V_T
    # bottom_up = z_below * (h_below @ W)
    _d_mul_z_below = _d_s @ W_T
    if _has_above:
        # h_above = above.h[t-1] if above else none
        _d_h_above = _d_mul_z_prev * z_prev
    if _has_below:
        # z_below = below.z if below else 1
        _d_z_below = tf.reduce_sum(_d_mul_z_below * h_below, axis=1, keepdims=True) + (
            tf.reduce_sum(_d_update_lanes * (1 - z_prev) - _d_copy_lanes * (1 - z_prev), axis=1, keepdims=True)
            if combine == "blend"
            else 0
        )
    # h_below = below.h if below else x
    _d_h_below = _d_mul_z_below * z_below
    # c = c_blend if combine == blend else c_select
    _d_c_prev = (
        tf.where(copy > 0.5, _d_c, tf.zeros_like(_d_c))
        + tf.where(copy > 0.5, tf.zeros_like(_d_c * f), tf.where(flush > 0.5, tf.zeros_like(_d_c * f), _d_c * f))
        if combine == "select"
        else _d_c * copy + _d_c_blend_add * f
    )
    # h = copy * h[t-1] + (1 - copy) * h_new if combine == blend else where(copy, h[t-1], h_new)
    _d_h_prev = _d_s @ U_T + (
        _d_h_next * copy if combine == "blend" else tf.where(copy > 0.5, _d_h_next, tf.zeros_like(_d_h_next))
    )
    # z = (where(copy, z[t-1], z_new) if z_on_copy == hold else z_new) if detector else 0
    _d_z_prev = (
        (
            tf.where(copy > 0.5, _d_z_next, tf.zeros_like(_d_z_next))
            if z_on_copy == "hold" and (_has_above or top_detector)
            else 0
        )
        + (
            tf.reduce_sum(
                _d_flush_lanes - _d_update_lanes * z_below - _d_copy_lanes * (1 - z_below), axis=1, keepdims=True
            )
            if combine == "blend"
            else 0
        )
        + (tf.reduce_sum(_d_mul_z_prev * h_above, axis=1, keepdims=True) if _has_above else 0)
        if _has_above
        or top_detector
        and (z_on_copy == "hold" or combine == "blend")
        or not top_detector
        and combine == "blend"
        else tf.zeros_like(z_prev)
    )
    if _has_below:
        # h_below = below.h if below else x
        _d_below_h = _d_h_below
        # z_below = below.z if below else 1
        _d_below_z = _d_z_below
    if _has_above:
        # h_above = above.h[t-1] if above else none
        _d_above_h = _d_h_above
    return (
        HMLSTMState(_d_c_prev, _d_h_prev, _d_z_prev),
        {
            **({"below_h": _d_below_h} if _has_below else {}),
            **({"below_z": _d_below_z} if _has_below else {}),
            **({"above_h": _d_above_h} if _has_above else {}),
        },
        {"_d_s": _d_s, "_d_h_below": _d_h_below},
    )


def _layer_after(
    *, x, below_h=None, below_z=None, above_h=None, h_prev, z_prev, _d_s, _d_h_below, _has_below, _has_above, **_
):
    """All steps at once: the derivatives of the loss by the input and by each weight, by name."""
    # h_below = below.h if below else x
    h_below = below_h if _has_below else x
    # z_below = below.z if below else 1
    z_below = below_z if _has_below else 1
    if _has_above:
        # h_above = above.h[t-1] if above else none
        h_above = above_h
    # bottom_up = z_below * (h_below @ W)
    _mul_z_below = z_below * h_below
    if _has_above:
        # top_down = z[t-1] * (h_above @ V) if h_above else 0
        _mul_z_prev = z_prev * h_above
    if not _has_below:
        # h_below = below.h if below else x
        _d_x = _d_h_below
    # bottom_up = z_below * (h_below @ W)
    _d_W = tf.matmul(_mul_z_below, _d_s, transpose_a=True)
    # s = h[t-1] @ U + bottom_up + top_down + b
    _d_U = tf.matmul(h_prev, _d_s, transpose_a=True)
    if _has_above:
        # top_down = z[t-1] * (h_above @ V) if h_above else 0
        _d_V = tf.matmul(_mul_z_prev, _d_s, transpose_a=True)
    # s = h[t-1] @ U + bottom_up + top_down + b
    _d_b = tf.reduce_sum(_d_s, axis=0)
    return {**({"x": _d_x} if not _has_below else {})}, {
        "W": _d_W,
        "U": _d_U,
        **({"V": _d_V} if _has_above else {}),
        "b": _d_b,
    }


def _layer_turned(*, V=None, W=None, U=None, **_):
    """Weights with their axes swapped: once, since every step back multiplies by them."""
    return {
        "V_T": None if V is None else tf.transpose(V),
        "W_T": tf.transpose(W),
        "U_T": tf.transpose(U),
    }


def _layer_differentiated(*, _has_above, **_):
    """The names of the weights that are differentiated."""
    return ["W", "U", *(["V"] if _has_above else []), "b"]


# --- all layers -----------------------------------------------------------------------------------------------------


def _by_layer(state):
    """A flat state -> the state of each layer."""
    return [HMLSTMState(*state[at : at + 3]) for at in range(0, len(state), 3)]


def _flat_state(states):
    return tuple(value for state in states for value in state)


def _layers(values):
    """Values by flat name, as in `layer2/W` -> by the layer's own name, a mapping a layer; others are for all."""
    found = [{name: value for name, value in values.items() if "/" not in name} for _ in range(values["depth"])]
    for name, value in values.items():
        layer, _, own = name.partition("/")
        if own:
            found[int(layer.removeprefix("layer")) - 1][own] = value
    return found


def _of_layer(index, values):
    """The other way round, for one layer."""
    return {f"layer{index + 1}/{name}": value for name, value in values.items()}


def _ports(index, old, new, shown):
    """What a layer reads of its neighbours: in this step of the one below it, of the one above it in the last."""
    ports = {}
    if index > 0:
        ports["below_h"] = new[index - 1].h
        ports["below_z"] = new[index - 1].z
    if index + 1 < len(old):
        ports["above_h"] = old[index + 1].h
    return ports


def _step(state, *, x, **arguments):
    """One step, the first layer first -> the output of the last layer, and the state after the step, flat."""
    old, new, shown, told = _by_layer(state), [], [], []
    for index, layer in enumerate(_layers(arguments)):
        also, after, trace = _layer_step(old[index], x=x, **_ports(index, old, new, shown), **layer)
        new.append(after)
        shown.append(also)
        told.append(trace)
    return new[-1].h, _flat_state(new), told


def _once(**arguments):
    """What reads weights and options alone."""
    found = {}
    for index, layer in enumerate(_layers(arguments)):
        found |= _of_layer(index, _layer_once(**layer))
    return found


def _before(*, x, **values):
    """All steps at once: what reads no state -> values by name, each (steps, ...)."""
    found = {}
    for index, layer in enumerate(_layers(values)):
        found |= _of_layer(index, _layer_before(x=x, **layer))
    return found


def _forward(state, *, x=None, **values):
    """One step of the loop, the first layer first -> output, state, and what the way back reads."""
    old, new, shown, kept = _by_layer(state), [], [], {}
    for index, layer in enumerate(_layers(values)):
        ports = _ports(index, old, new, shown)
        also, after, more = _layer_forward(old[index], x=x, **ports, **layer)
        new.append(after)
        shown.append(also)
        kept |= _of_layer(index, more)
    return new[-1].h, _flat_state(new), kept


def _backward(d_output, d_state, **values):
    """One step back, the last layer first: what a layer read of a neighbour's is a derivative by that one's state."""
    layers = _layers(values)
    d_new = [state._asdict() for state in _by_layer(d_state)]
    d_old, d_late, sent = [None] * len(layers), [], {}
    for index, layer in reversed(list(enumerate(layers))):
        d_before, d_ports, more = _layer_backward(HMLSTMState(**d_new[index]), **layer)
        d_old[index] = d_before._asdict()
        sent |= _of_layer(index, more)
        if index > 0:
            d_new[index - 1]["h"] += d_ports["below_h"]
            d_new[index - 1]["z"] += d_ports["below_z"]
        if index + 1 < len(layers):
            d_old[index + 1]["h"] += d_ports["above_h"]
    return _flat_state(HMLSTMState(**d) for d in d_old), sent


def _after(*, x, **values):
    """All steps at once: the derivatives of the loss by the input and by each weight, by name."""
    d_xs, d_weights = {}, {}
    for index, layer in enumerate(_layers(values)):
        d_inputs, d_own = _layer_after(x=x, **layer)
        d_xs |= {name: d_xs[name] + d if name in d_xs else d for name, d in d_inputs.items()}
        d_weights |= _of_layer(index, d_own)
    return d_xs, d_weights


def _turned(**arguments):
    """Weights with their axes swapped: once, since every step back multiplies by them."""
    found = {}
    for index, layer in enumerate(_layers(arguments)):
        found |= _of_layer(index, _layer_turned(**layer))
    return found


def _differentiated(**arguments):
    """The names of the weights that are differentiated."""
    layers = enumerate(_layers(arguments))
    return [name for index, layer in layers for name in _of_layer(index, dict.fromkeys(_layer_differentiated(**layer)))]


def _readout(h, *, gate, emb):
    """h of each layer -> the output."""
    # g = sigmoid(concat(each.h) @ gate)
    _mix_g = tf.concat(h, axis=-1) @ gate
    g = tf.sigmoid(_mix_g)
    # y = relu(sum(each.g * (each.h @ each.emb)))
    _sum_y = tf.add_n(
        [each_g * (each_h @ each_emb) for each_g, each_h, each_emb in zip(tf.split(g, len(h), axis=-1), h, emb)]
    )
    y = tf.nn.relu(_sum_y)
    return y


# --- the scan -------------------------------------------------------------------------------------------------------


def _scan(
    xs,
    mask,
    state,
    fresh,
    arguments,
    *,
    return_sequences,
    return_states,
    zero_output,
    steps=None,
    low_memory=False,
    unroll=1,
    stacked=False,
):
    """All steps, in chunks that stay in cache, differentiated by `_backward`.

    xs: x (batch, time, input), by name; mask (batch, time, 1) or None, state and fresh: flat
    -> last output, last state, a list of the sequences wanted, (time, batch, ...): outputs, then each state.
    steps: how many run, if not all. low_memory: keep the state before each chunk alone, and run its steps again on the
    way back. unroll: how many steps the loop takes at once. stacked: hand tensors on to the way back, not arrays of
    them, which XLA cannot.
    """
    carried = len(state)
    weights = {name: value for name, value in arguments.items() if tf.is_tensor(value)}
    options = {name: value for name, value in arguments.items() if not tf.is_tensor(value)}
    wanted = {
        "return_sequences": return_sequences,
        "return_states": return_states,
        "zero_output": zero_output,
        "unroll": unroll,
    }

    def layout():
        """The batch, the time, the steps that run, those of a chunk, the chunks, those that run. The way back asks anew:
        handed on, they would be no constants to XLA, or make those of all that they were counted from.
        """
        batch_size, time = keras.ops.shape(whole_xs["x"])[:2]
        size = _chunk_size(batch_size, time, low_memory)
        runs = time if steps is None else steps
        chunks = (time + size - 1) // size
        return (
            batch_size,
            time,
            runs,
            size,
            tf.maximum(1, chunks) if tf.is_tensor(chunks) else max(1, chunks),
            tf.maximum(1, (runs + size - 1) // size),
        )

    _of_one_batch(*xs.values(), *state, *fresh, *([] if mask is None else [mask]))
    whole_xs = xs
    _, time, runs, size, chunks, _ = layout()
    whole = steps is None and not tf.is_tensor(time) and not tf.is_tensor(size) and time > 0 and time % size == 0
    alone = whole and time == size  # one chunk is all
    mask = None if mask is None else _filled(mask, chunks * size, 1)

    def chunk(values, index, size):
        """(batch, time, ...) -> the steps of a chunk in front."""
        rank = len(values.shape)
        part = tf.slice(
            values, [0, index * size, *[0] * (rank - 2)], [keras.ops.shape(values)[0], size, *values.shape[2:]]
        )
        part.set_shape([values.shape[0], None if tf.is_tensor(size) else size, *values.shape[2:]])
        return tf.transpose(part, [1, 0, *range(2, rank)])

    @tf.custom_gradient
    def scan(*tensors):
        xs, tensors = dict(zip(whole_xs, tensors)), tensors[len(whole_xs) :]
        state, fresh, rest = tuple(tensors[:carried]), tuple(tensors[carried : 2 * carried]), tensors[2 * carried :]
        arguments = {**options, **dict(zip(weights, rest))}
        arguments |= _once(**arguments)
        batch_size, time, runs, size, chunks, count = layout()
        xs = {name: _filled(values, chunks * size, 1) for name, values in xs.items()}

        masked = {} if mask is None else {name: _stand_in(values, mask) for name, values in xs.items()}

        def part(index, size):
            steps = {name: chunk(values, index, size) for name, values in xs.items()}
            for name, other in masked.items():
                steps[name] = _where(chunk(mask, index, size), steps[name], other)
            return steps

        def run(index, output, state, size):
            on = None if mask is None else chunk(mask, index, size)
            length = size if whole else tf.minimum(size, runs - index * size)
            return _chunk_forward(part(index, size), length, on, output, state, fresh, arguments, likely, **wanted)

        def forward(index, output, state, starts, rooms, results):
            starts = [room.write(index, value) for room, value in zip(starts, [output, *state])]
            output, state, sequences, kept = run(index, output, state, size)
            rooms = {name: room.write(index, kept[name]) for name, room in rooms.items()}
            results = [room.write(index, values) for room, values in zip(results, sequences)]
            return index + 1, output, state, starts, rooms, results

        output, likely = _likely({name: values[:, 0] for name, values in xs.items()}, state, arguments)
        output = tf.zeros_like(output)
        starts = [output, *state]
        if alone:
            output, final, results, rooms = run(0, output, state, size)
        else:
            starts = [_room(value, chunks, batch_size) for value in starts]
            rooms = {
                name: _room(_steps(value, size), chunks, size, batch_size)
                for name, value in likely.items()
                if not low_memory
            }
            results = [*([output] if return_sequences else []), *(state[index] for index in return_states)]
            results = [_room(_steps(value, size), chunks, size, batch_size) for value in results]
            loop = 0, output, state, starts, rooms, results
            loop = tf.while_loop(lambda index, *_: index < count, forward, loop, maximum_iterations=chunks)
            _, output, final, starts, rooms, results = loop
            results = [_joined(room, time) for room in results]
            if stacked:
                starts, rooms = [room.stack() for room in starts], {name: room.stack() for name, room in rooms.items()}

        def backward(d_output, *d_results):
            batch_size, time, runs, size, chunks, count = layout()
            d_state, d_sequences = (
                tuple(d_results[:carried]),
                [_filled(d, chunks * size, 0) for d in d_results[carried:]],
            )
            turned = {**arguments, **_turned(**arguments)}
            arrays = stacked and not alone
            before = [_array(values) if arrays else values for values in starts]
            held = {name: _array(values) if arrays else values for name, values in rooms.items()}

            def back(index, d_output, d_state, d_fresh):
                kept = {name: values if alone else values.read(index) for name, values in held.items()}
                if low_memory:
                    output, *state = [values if alone else values.read(index) for values in before]
                    kept = run(index, output, tuple(state), size)[-1]
                kept = {**kept, **part(index, size)}
                on = None if mask is None else chunk(mask, index, size)
                length = size if whole else tf.minimum(size, runs - index * size)
                d_parts = [_part(d, index, size) for d in d_sequences]
                return _chunk_back(d_output, d_state, d_fresh, d_parts, kept, length, on, turned, **wanted)

            def body(index, d_output, d_state, d_fresh, d_xs, d_weights):
                d_output, d_state, d_fresh, d_part, more = back(index, d_output, d_state, d_fresh)
                d_xs = {name: room.write(index, d_part[name]) for name, room in d_xs.items()}
                d_weights = {name: value + more[name] for name, value in d_weights.items()}
                return index - 1, d_output, d_state, d_fresh, d_xs, d_weights

            d_fresh = tuple(tf.zeros_like(value) for value in state)
            if alone:
                _, d_state, d_fresh, d_xs, d_weights = back(0, d_output, d_state, d_fresh)
            else:
                d_xs = {name: _room(values, chunks, size, batch_size) for name, values in part(0, size).items()}
                d_weights = {name: tf.zeros_like(weights[name]) for name in _differentiated(**turned)}
                loop = count - 1, d_output, d_state, d_fresh, d_xs, d_weights
                loop = tf.while_loop(lambda index, *_: index >= 0, body, loop, maximum_iterations=chunks)
                _, _, d_state, d_fresh, d_xs, d_weights = loop
                d_xs = {name: _joined(room, time) for name, room in d_xs.items()}
            d_xs = [tf.transpose(d_xs[name], [1, 0, *range(2, len(d_xs[name].shape))]) for name in xs]
            return *d_xs, *d_state, *d_fresh, *(d_weights.get(name) for name in weights)

        return [output, *final, *results], backward

    last_output, *results = scan(*xs.values(), *state, *fresh, *weights.values())
    return last_output, tuple(results[:carried]), list(results[carried:])


@functools.cache
def _traced(scan, widths, eager, **how):
    """A scan as a function of TensorFlow's, for weights and values of some widths and any batch and time.

    eager: whether it is called eagerly; TensorFlow mixes up the gradients of a trace that serves both.
    """
    return tf.function(scan, autograph=False, reduce_retracing=True, **how)


def _widths(xs, state, arguments):
    """What is known of the shapes of all that a scan takes, but for batch and time."""
    shapes = [*(values.shape[2:] for values in xs.values()), *(value.shape[1:] for value in state)]
    shapes += (value.shape for value in arguments.values() if tf.is_tensor(value))
    return tuple(map(tuple, shapes))


def _scan_in_graph(xs, mask, state, fresh, arguments, **wanted):
    """`_scan`, traced: called eagerly, its steps run as a graph."""
    scan = _traced(_scan, _widths(xs, state, arguments), tf.executing_eagerly())
    return scan(xs, mask, state, fresh, arguments, **wanted)


def _scan_compiled(xs, mask, state, fresh, arguments, **wanted):
    """`_scan`, compiled by XLA for each batch and time."""
    widths, eager = _widths(xs, state, arguments), tf.executing_eagerly()
    shares = _shares(xs["x"].shape[0])
    if shares > 1:
        scan = _traced(_scan_shared, widths, eager) if eager else _scan_shared
        return scan(xs, mask, state, fresh, arguments, shares=shares, **wanted)
    scan = _traced(_scan, widths, eager, jit_compile=True)
    return scan(xs, mask, state, fresh, arguments, stacked=True, **wanted)


def _scan_shared(xs, mask, state, fresh, arguments, *, shares, **wanted):
    """The batch in shares, each scanned by itself, and TensorFlow runs them side by side."""
    scan = _traced(_scan, _widths(xs, state, arguments), False, jit_compile=True)
    batch_size = keras.ops.shape(xs["x"])[0]
    sizes = [batch_size // shares] * (shares - 1)
    sizes.append(batch_size - sum(sizes))
    whole = xs, mask, state, fresh
    split = [[None] * shares if value is None else tf.split(value, sizes) for value in tf.nest.flatten(whole)]
    found = [scan(*tf.nest.pack_sequence_as(whole, part), arguments, stacked=True, **wanted) for part in zip(*split)]
    outputs, states, sequences = zip(*found)
    state = tuple(tf.concat(values, 0) for values in zip(*states))
    return tf.concat(outputs, 0), state, [tf.concat(values, 1) for values in zip(*sequences)]


def _shares(batch_size):
    """How many shares of a batch are scanned side by side: most of what XLA makes for a CPU runs on one core, so one a
    core, but of 8 or more, and of one size, which XLA compiles once. A batch that is not known is taken for 32.
    """
    if tf.config.list_logical_devices("GPU"):
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = tf.config.threading.get_inter_op_parallelism_threads() or cores
    likely = 32 if batch_size is None else batch_size
    most = min(cores, threads, likely // 8)
    return max((shares for shares in range(2, most + 1) if likely % shares == 0), default=1)


def _scan_in_bucket(xs, mask, state, fresh, arguments, **wanted):
    """`_scan`, compiled by XLA for a few lengths only: a sequence is filled up to the next, and its own steps run."""
    time = keras.ops.shape(xs["x"])[1]
    bucket = _bucket(time)
    xs = {name: _filled(values, bucket, 1) for name, values in xs.items()}
    mask = None if mask is None else _filled(mask, bucket, 1)
    steps = tf.convert_to_tensor(time)
    output, state, sequences = _scan_compiled(xs, mask, state, fresh, arguments, steps=steps, **wanted)
    return output, state, [values[:time] for values in sequences]


def _bucket(time):
    """The next of 16, 24, 32, 48, 64, ...: at most half as long again."""
    if tf.is_tensor(time):
        exponent = tf.math.ceil(tf.math.log(tf.cast(time, tf.float32) - 0.5) / tf.math.log(2.0))
        power = tf.maximum(16, tf.cast(tf.pow(2.0, exponent), tf.int32))
    else:
        power = max(16, 1 << (max(1, time) - 1).bit_length())
    less = power // 4 * 3
    if tf.is_tensor(time):
        return tf.where((time <= less) & (power > 16), less, power)
    return less if time <= less and power > 16 else power


def _likely(xs, state, arguments):
    """The output of a step and what is kept of it, for their dtypes and shapes alone."""
    ready = _before(**xs, **arguments)
    output, _, kept = _forward(state, **xs, **ready, **arguments)
    return output, {**ready, **kept}


def _chunk_forward(
    xs, length, on, output, state, fresh, arguments, likely, *, return_sequences, return_states, zero_output, unroll
):
    """`length` steps of a chunk, time in front -> last output, last state, the sequences wanted, what is kept."""
    size, batch_size = keras.ops.shape(xs["x"])[:2]
    ready = _together(_before, xs, arguments)
    values = {**xs, **ready}
    each = {
        name: _array(values[name])
        for name in values
        if name.rpartition("/")[2] in ["x", "below_h", "below_z", "above_h"]
    }
    ons = None if on is None else _array(on)
    rooms = {name: _room(value, size, batch_size) for name, value in likely.items() if name not in ready}
    wanted = [*([output] if return_sequences else []), *(state[index] for index in return_states)]
    sequences = [_room(value, size, batch_size) for value in wanted]

    def step(t, output, state, rooms, sequences):
        new_output, new_state, kept = _forward(
            state, **{name: array.read(t) for name, array in each.items()}, **arguments
        )
        if on is not None:  # mask: hold
            here = ons.read(t)
            new_state = tuple(tf.where(here, new, old) for new, old in zip(new_state, state))
        rooms = {name: room.write(t, kept[name]) for name, room in rooms.items()}
        wanted = [*([new_output] if return_sequences else []), *(new_state[index] for index in return_states)]
        sequences = [room.write(t, value) for room, value in zip(sequences, wanted)]
        return t + 1, new_output, new_state, rooms, sequences

    loop = _repeated(lambda t, count: t + count <= length, step, (0, output, state, rooms, sequences), size, unroll)
    _, output, state, rooms, sequences = loop
    kept = {**ready, **{name: _finite(room.stack(), length) for name, room in rooms.items()}}
    return output, state, [room.stack() for room in sequences], kept


def _chunk_back(
    d_output,
    d_state,
    d_fresh,
    d_sequences,
    kept,
    length,
    on,
    arguments,
    *,
    return_sequences,
    return_states,
    zero_output,
    unroll,
):
    """The steps of a chunk in reverse, then `_after` -> the derivatives by output, state, fresh, x and weights."""
    size, batch_size = keras.ops.shape(kept["x"])[:2]
    d_wanted = [_array(values) for values in d_sequences]
    each = {
        name: _array(kept[name])
        for name in kept
        if name.rpartition("/")[2]
        in [
            "x",
            "below_h",
            "below_z",
            "above_h",
            "c_prev",
            "h_prev",
            "z_prev",
            "_f_i_o",
            "g",
            "_soft_div",
            "_soft_sigmoid",
            "_tanh_c",
        ]
    }
    ons = None if on is None else _array(on)
    likely = {name: tf.zeros_like(kept[name][0]) for name in each}
    sent = _backward(d_output, d_state, **likely, **arguments)[1]  # for dtypes and shapes
    rooms = {name: _room(value, size, batch_size) for name, value in sent.items()}

    def step(t, d_output, d_state, d_fresh, rooms):
        d_here = [array.read(t) for array in d_wanted]
        if return_sequences:
            d_output += d_here.pop(0)
        d_here = dict(zip(return_states, d_here))
        d_state = tuple(d + d_here[index] if index in d_here else d for index, d in enumerate(d_state))
        d_before = tf.zeros_like(d_output)
        d_later = d_state
        d_state, sent = _backward(
            d_output, d_state, **{name: array.read(t) for name, array in each.items()}, **arguments
        )
        if on is not None:  # mask: hold. Chosen, not multiplied by 0: a masked step may overflow
            here = ons.read(t)
            if not zero_output:
                d_before = tf.where(here, d_before, d_output)
            d_state = tuple(tf.where(here, d, later) for d, later in zip(d_state, d_later))
            sent = {name: _where(here, d, tf.zeros_like(d)) for name, d in sent.items()}
        rooms = {name: room.write(t, sent[name]) for name, room in rooms.items()}
        return t - 1, d_before, d_state, d_fresh, rooms

    loop = length - 1, d_output, d_state, d_fresh, rooms
    loop = _repeated(lambda t, count: t >= count - 1, step, loop, size, unroll)
    _, d_output, d_state, d_fresh, rooms = loop
    values = {**kept, **{name: room.stack() for name, room in rooms.items()}}
    values = {
        name: _flat(values[name])
        for name in values
        if name.rpartition("/")[2] in ["x", "below_h", "below_z", "above_h", "h_prev", "z_prev", "_d_s", "_d_h_below"]
    }
    d_xs, d_weights = _after(**values, **arguments)
    d_xs = {name: tf.reshape(d, tf.shape(kept[name])) for name, d in d_xs.items()}
    return d_output, d_state, d_fresh, d_xs, d_weights


def _repeated(goes_on, step, loop, size, unroll):
    """A loop of at most `size` steps, `unroll` of them at once while so many are left, then one by one."""
    for count in dict.fromkeys((min(unroll, size) if isinstance(size, int) else unroll, 1)):

        def steps(*loop, count=count):
            for _ in range(count):
                loop = step(*loop)
            return loop

        loop = tf.while_loop(lambda t, *_, count=count: goes_on(t, count), steps, loop, maximum_iterations=size)
    return loop


def _unrolled(xs, mask, state, fresh, arguments, *, return_sequences, return_states, zero_output, **_):
    """`_scan` step by step in Python, for breakpoints; differentiated by TensorFlow."""
    xs = _counting(xs, mask)
    output, lists = None, []
    for t in range(xs["x"].shape[1]):
        new_output, new_state, _ = _step(
            state=state, **{name: values[:, t] for name, values in xs.items()}, **arguments
        )
        if mask is not None:  # mask: hold
            held = tf.zeros_like(new_output) if zero_output or output is None else output
            new_output = tf.where(mask[:, t], new_output, held)
            new_state = tuple(tf.where(mask[:, t], new, old) for new, old in zip(new_state, state))
        output, state = new_output, new_state
        lists.append([*([output] if return_sequences else []), *(state[index] for index in return_states)])
    return output, state, [tf.stack(values) for values in zip(*lists)]


def _chunk_size(batch_size, time, low_memory):
    """How many steps run between two looks at main memory: about 512 rows; for low memory the root of all, if more."""
    if tf.is_tensor(time) and not tf.is_tensor(batch_size) and not low_memory:
        return max(1, 512 // max(1, batch_size))  # a number: TFLite must know what a list holds
    if tf.is_tensor(batch_size) or tf.is_tensor(time):
        size = tf.maximum(1, 512 // tf.maximum(1, batch_size))
        root = tf.cast(tf.sqrt(tf.cast(time, tf.float32)), tf.int32)
        return tf.maximum(size, root) if low_memory else size
    size = max(1, 512 // max(1, batch_size), int(time**0.5) if low_memory else 1)
    if size >= time:
        return max(1, time)
    even = [each for each in range(size // 2 + 1, 2 * size) if time % each == 0]  # no chunk is shorter then
    return min(even, key=lambda each: abs(each - size), default=size)


def _of_one_batch(*values):
    """What is known of the batch of one value holds for all; a trace that serves other batches may have lost it."""
    known = [value.shape[0] for value in values if value.shape[0] is not None]
    for value in values:
        value.set_shape([known[0] if known else None, *value.shape[1:]])


def _part(values, index, size):
    """(time, ...) -> the steps of a chunk."""
    part = tf.slice(values, [index * size, *[0] * (len(values.shape) - 1)], [size, *keras.ops.shape(values)[1:]])
    part.set_shape([None if tf.is_tensor(size) else size, *values.shape[1:]])
    return part


def _counting(xs, mask):
    """Inputs by name, each masked step replaced by one that counts: nothing of it reaches anything then, not even a NaN,
    which a product with 0 would let through.
    """
    if mask is None:
        return xs
    time = keras.ops.shape(mask)[1]
    some = tf.maximum(1, time) if tf.is_tensor(time) else max(1, time)

    def counting(values):
        other = _stand_in(_filled(values, some, 1), _filled(mask, some, 1))
        return _where(mask, values, tf.expand_dims(other, 1))

    return xs | {name: counting(values) for name, values in xs.items()}


def _stand_in(values, mask):
    """(batch, time, ...) -> of each sample a step that counts, or ones: (batch, ...)."""
    found = tf.gather(values, tf.argmax(tf.cast(tf.squeeze(mask, -1), tf.int32), 1), axis=1, batch_dims=1)
    return tf.stop_gradient(_where(tf.reduce_any(mask, 1), found, tf.ones([], values.dtype)))


def _where(on, a, b):
    """`a` where `on` (..., 1), else `b`, which may have more axes."""
    if len(a.shape) > len(on.shape):
        on = tf.reshape(on, [*keras.ops.shape(on), *[1] * (len(a.shape) - len(on.shape))])
    return tf.where(on, a, b)


def _filled(values, time, axis):
    """With the last step again and again, up to a length: nothing comes of those, but they are no worse than it."""
    shape = keras.ops.shape(values)
    missing, none = time - shape[axis], 1 - tf.minimum(1, shape[axis])
    if not tf.is_tensor(missing) and missing == 0:
        return values
    last = values[:, -1:] if axis else values[-1:]
    last = tf.concat([last, tf.zeros([*shape[:axis], none, *shape[axis + 1 :]], values.dtype)], axis)
    return tf.concat([values, tf.broadcast_to(last, [*shape[:axis], missing, *shape[axis + 1 :]])], axis)


def _finite(values, length):
    """The steps that did not run as the last one that did, so that a derivative of zero is zero there too."""
    size = keras.ops.shape(values)[0]
    if not tf.is_tensor(length) and length == size:
        return values
    rows = tf.maximum(0, tf.minimum(tf.range(size), length - 1))
    return tf.cond(length < size, lambda: tf.gather(values, rows), lambda: values)


def _array(values):
    """(steps, ...) -> an array to read more than once."""
    array = tf.TensorArray(
        values.dtype, size=tf.shape(values)[0], element_shape=values.shape[1:], clear_after_read=False
    )
    return array.unstack(values)


def _room(value, count, *sizes):
    """An array for `count` values like this one, whose first sizes are these."""
    room = tf.TensorArray(value.dtype, size=count, element_shape=value.shape, clear_after_read=False)
    if None in value.shape:  # what nothing is written to must know its shape
        room = room.write(0, tf.zeros([*sizes, *value.shape[len(sizes) :]], value.dtype))
    return room


def _steps(value, size):
    """What a chunk holds of a value of one step, as dtype and shape."""
    return tf.TensorSpec([None if tf.is_tensor(size) else size, *value.shape], value.dtype)


def _joined(room, time):
    """Chunks of steps -> (time, ...)."""
    chunks = room.stack()
    return tf.reshape(chunks, [-1, *keras.ops.shape(chunks)[2:]])[:time]


def _flat(values):
    """(steps, batch, ...) -> (steps * batch, ...)."""
    return tf.reshape(values, [-1, *values.shape[2:]])


def _together(function, values, arguments):
    """Applies a function of all steps to values (steps, batch, ...) -> the same of its results, by name."""
    steps, batch_size = keras.ops.shape(values["x"])[:2]
    results = function(**{name: _flat(value) for name, value in values.items()}, **arguments)
    return {name: tf.reshape(value, [steps, batch_size, *value.shape[1:]]) for name, value in results.items()}


# --- arguments ------------------------------------------------------------------------------------------------------

_INITIALIZERS = {
    "W": "glorot_uniform",
    "U": "orthogonal",
    "V": "glorot_uniform",
    "b": "zeros",
    "gate": "glorot_uniform",
    "emb": "glorot_uniform",
}
_KINDS = "initializer", "regularizer", "constraint"
_WEIGHT_ARGUMENTS = {  # `W_initializer` and so on, with their defaults
    f"{weight}_{kind}": initializer if kind == "initializer" else None
    for weight, initializer in _INITIALIZERS.items()
    for kind in _KINDS
}


_FLOATING = "of a floating dtype, as `tf.cast(x, 'float32')` gives (an Embedding takes integers)"


def _require(fits, name, wanted, value):
    """Refuses an argument in words that say what is wanted and what came."""
    if not fits:
        raise ValueError(f"`{name}` must be {wanted}. Received: {value!r}")


def _of_sizes(name, value, sizes, wanted):
    """A tensor, refused if its first axes have other sizes than these, None for any; `{}` in `wanted` stand for them."""
    came = keras.ops.shape(value)
    pairs = [(a, b) for a, b in zip(came, sizes) if b is not None]
    later = [tf.equal(a, b) for a, b in pairs if tf.is_tensor(a) or tf.is_tensor(b)]
    fits = len(came) >= len(sizes) and all(a == b for a, b in pairs if not (tf.is_tensor(a) or tf.is_tensor(b)))
    shape = f"({', '.join('{}' for _ in came)}{',' * (len(came) == 1)})"
    fits = tf.reduce_all(tf.stack(later)) if fits and later else fits
    return _if(fits, value, f"`{name}` must be {wanted}. Received: {shape}", *sizes, *came)


def _if(fits, value, sentence, *numbers):
    """A tensor, if it fits; else the sentence with the numbers for `{}`, as an exception, or where a graph knows them only
    when it runs, as an assertion.
    """
    eager = tf.executing_eagerly()
    if tf.is_tensor(fits) and not eager:
        with tf.control_dependencies([tf.debugging.Assert(fits, [tf.strings.format(sentence, list(numbers))])]):
            return tf.identity(value)
    if not fits:
        raise ValueError(sentence.format(*(each if eager or not tf.is_tensor(each) else None for each in numbers)))
    return value


def _is_whole(value):
    """Whether it is an integer, NumPy's too."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_size(value):
    return _is_whole(value) and value > 0


def _is_number(value):
    """Whether it is a real number, NumPy's too."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and value == value


def _swapped(values):
    """(time, batch, ...) -> (batch, time, ...), or back."""
    return None if values is None else tf.transpose(values, [1, 0, *range(2, len(values.shape))])


def _batch_first(shape):
    """(time, batch, ...) -> (batch, time, ...)."""
    return (shape[1], shape[0], *shape[2:])


def _dense(values):
    """Ragged sequences, filled up with zeros; others as they are."""
    if not isinstance(values, tf.RaggedTensor):
        return values
    _require(values.ragged_rank == 1, "sequences", "ragged in time alone", values.shape)
    return values.to_tensor()


def _registry(argument):
    """Where Keras looks a `kernel_initializer` or its like up: keras.initializers, regularizers or constraints."""
    return getattr(keras, argument.rsplit("_", 1)[1] + "s")


# --- Keras ----------------------------------------------------------------------------------------------------------


@keras.utils.register_keras_serializable("hm_lstm_stack")
class HMLSTMStackCell(keras.layers.Layer):
    """One step of all layers, for `keras.layers.RNN` and everything else that takes a cell.

    call(x, state) -> (output, state): x (batch, input); state is flat, c, h, z of layer 1, then of
    layer 2 and so on, in any container; the new one is like it. `named(state)` is a tuple of `HMLSTMState`, one a layer.
    Weights are called `layer1/W`, `readout/gate` and so on; each takes Keras's three
    arguments, for all layers at once, as in `W_initializer`, `W_regularizer`, `W_constraint`.
    state_is_tuple=False: the state comes and goes as one tensor, its parts side by side in their order.
    Raises ValueError where an argument does not fit.
    """

    def __init__(
        self,
        units,
        embedding,
        top_detector=False,
        combine="blend",
        z_on_copy="recompute",
        boundary="hard",
        slope=1.0,
        state_is_tuple=True,
        **kwargs,
    ):
        _given = {name: kwargs.pop(name, default) for name, default in _WEIGHT_ARGUMENTS.items()}
        super().__init__(**kwargs)
        _require(
            isinstance(units, (list, tuple)) and units and all(map(_is_size, units)),
            "units",
            "a list of positive integers, one a layer",
            units,
        )
        _require(_is_size(embedding), "embedding", "a positive integer", embedding)
        _require(isinstance(top_detector, bool), "top_detector", "True or False", top_detector)
        _require(combine in ("blend", "select"), "combine", "one of blend, select", combine)
        _require(z_on_copy in ("recompute", "hold"), "z_on_copy", "one of recompute, hold", z_on_copy)
        _require(boundary in ("hard", "sigmoid"), "boundary", "one of hard, sigmoid", boundary)
        _require(_is_number(slope), "slope", "a number", slope)
        self.units = tuple(map(int, units))
        self.embedding = int(embedding)
        self.top_detector = top_detector
        self.combine = combine
        self.z_on_copy = z_on_copy
        self.boundary = boundary
        self.depth = len(units)
        self.weight_arguments = {name: _registry(name).get(value) for name, value in _given.items()}
        self._state_sizes = [
            size
            for units in self.units
            for size in (
                units,
                units,
                1,
            )
        ]
        _require(isinstance(state_is_tuple, bool), "state_is_tuple", "True or False", state_is_tuple)
        self.state_is_tuple = state_is_tuple
        self.state_size = self._state_sizes if state_is_tuple else sum(self._state_sizes)
        self.output_size = self.embedding
        self.input_spec = keras.layers.InputSpec(ndim=2)
        self.scheduled = {
            "slope": float(slope),
        }  # at first
        self.slope = self.add_weight(
            name="slope", shape=(), initializer=keras.initializers.Constant(slope), trainable=False
        )

    def _sizes(self, index):
        """The sizes of a layer: its own, and those of what it reads."""
        _has_below, _has_above = index > 0, index + 1 < self.depth
        lower = self.units[index - 1] if _has_below else self.input_spec.shape[-1]
        units = self.units[index]
        upper = self.units[index + 1] if _has_above else None
        above_units = self.units[index + 1] if _has_above else None
        below_units = self.units[index - 1] if _has_below else None
        return lower, units, upper, above_units, below_units

    def build(self, input_shape):
        _require(input_shape[-1] is not None, "x", "of known width (its last axis)", tuple(input_shape))
        self.input_spec = keras.layers.InputSpec(shape=(None, *input_shape[1:]))
        self.parts = [self._layer(index) for index in range(self.depth)]
        self.readout = keras.layers.Layer(name="readout", dtype=self.dtype_policy)
        with tf.name_scope("readout"):
            self.readout.gate = self.readout.add_weight(
                name="gate", shape=[sum(self.units), self.depth], **self._arguments("gate")
            )
            self.readout.emb = [
                self.readout.add_weight(
                    name=f"emb{index + 1}", shape=[self.units[index], self.embedding], **self._arguments("emb")
                )
                for index in range(self.depth)
            ]
        self.readout.built = True
        self.built = True

    def _layer(self, index):
        """The sublayer that holds a layer's weights: so they are called `layer1/W` and so on."""
        _has_below, _has_above = index > 0, index + 1 < self.depth
        lower, units, upper, above_units, below_units = self._sizes(index)
        part = keras.layers.Layer(name=f"layer{index + 1}", dtype=self.dtype_policy)
        with tf.name_scope(part.name):  # Keras 2 names a weight after the scope it is made in
            part.W = part.add_weight(
                name="W",
                shape=[lower, (units + units + units + units + (1 if _has_above or self.top_detector else 0))],
                **self._arguments("W"),
            )
            part.U = part.add_weight(
                name="U",
                shape=[units, (units + units + units + units + (1 if _has_above or self.top_detector else 0))],
                **self._arguments("U"),
            )
            part.V = None
            if _has_above:
                part.V = part.add_weight(
                    name="V",
                    shape=[upper, (units + units + units + units + (1 if _has_above or self.top_detector else 0))],
                    **self._arguments("V"),
                )
            part.b = part.add_weight(
                name="b",
                shape=[(units + units + units + units + (1 if _has_above or self.top_detector else 0))],
                **self._arguments("b"),
            )
        part.built = True
        return part

    def _arguments(self, weight):
        return {kind: self.weight_arguments[f"{weight}_{kind}"] for kind in _KINDS}

    def step_arguments(self):
        """What `_step` takes besides x and the state: options, and by layer weights in the compute dtype."""

        def cast(weight):
            return tf.cast(tf.convert_to_tensor(weight), self.compute_dtype)

        found = {
            "depth": self.depth,
            "top_detector": self.top_detector,
            "combine": self.combine,
            "z_on_copy": self.z_on_copy,
            "boundary": self.boundary,
            "slope": cast(self.slope),
        }
        for index, part in enumerate(self.parts):
            _has_below, _has_above = index > 0, index + 1 < self.depth
            lower, units, upper, above_units, below_units = self._sizes(index)
            found |= _of_layer(
                index,
                {
                    "_has_below": _has_below,
                    "_has_above": _has_above,
                    "W": cast(part.W),
                    "U": cast(part.U),
                    "V": cast(part.V) if _has_above else None,
                    "b": cast(part.b),
                    "lower": lower,
                    "units": units,
                    "upper": upper,
                    "above_units": above_units,
                    "below_units": below_units,
                },
            )
        return found

    def named(self, state):
        """A state in any container, by position -> a tuple of HMLSTMState, one a layer, in the compute dtype."""
        values = [tf.cast(tf.convert_to_tensor(value), self.compute_dtype) for value in tf.nest.flatten(state)]
        if not self.state_is_tuple:
            fits = len(values) == 1 and values[0].shape.is_compatible_with([None, self.state_size])
            _require(fits, "state", f"(batch, {self.state_size})", [tuple(value.shape) for value in values])
            values = tf.split(values[0], self._state_sizes, axis=-1)
        shapes = [[None, size] for size in self._state_sizes]
        fits = len(values) == len(shapes) and all(v.shape.is_compatible_with(s) for v, s in zip(values, shapes))
        wanted = f"of {self.depth} layers, {', '.join(HMLSTMState._fields)} of each, with sizes {self._state_sizes}"
        _require(fits, "state", wanted, [tuple(value.shape) for value in values])
        return tuple(_by_layer(values))

    def read_out(self, h):
        """h of each layer, (batch, size) or (batch, time, size) -> the output, the same."""

        def cast(weight):
            return tf.cast(tf.convert_to_tensor(weight), self.compute_dtype)

        front = keras.ops.shape(h[0])[:-1]
        output = _readout(
            [tf.reshape(value, [-1, value.shape[-1]]) for value in h],
            gate=cast(self.readout.gate),
            emb=[cast(weight) for weight in self.readout.emb],
        )
        return tf.reshape(output, [*front, output.shape[-1]])

    def call(self, x, state, training=False, scope=None):  # scope: TensorFlow 1's wrappers pass it
        _require(x.dtype.is_floating, "x", _FLOATING, x.dtype.name)
        flat = _flat_state(self.named(state))
        output, new_state, _ = _step(flat, x=x, **self.step_arguments())
        layers = _by_layer(new_state)
        output = self.read_out(
            [layer.h for layer in layers],
        )
        return output, tf.nest.pack_sequence_as(state, self._joined(new_state))

    def gates(self, xs, state, training=False):
        """The named values of some steps, all at once: inputs by name and the flat state before each, (batch, time, ...)."""
        front = keras.ops.shape(xs["x"])[:2]
        told = _step(
            tuple(map(_flat, state)), **{name: _flat(value) for name, value in xs.items()}, **self.step_arguments()
        )[2]
        return tuple(type(each)(*(tf.reshape(value, [*front, *value.shape[1:]]) for value in each)) for each in told)

    def gate_shapes(self, *front):
        """The shapes of named values of every step, a tuple for each layer; `front` are batch and time."""
        found = []
        for index in range(self.depth):
            _has_below, _has_above = index > 0, index + 1 < self.depth
            lower, units, upper, above_units, below_units = self._sizes(index)
            found.append(
                HMLSTMGates(
                    (*front, 1),
                    (*front, 1),
                    (*front, 1),
                )
            )
        return tuple(found)

    def _joined(self, state):
        """The tensors of a state; one, side by side, where state_is_tuple is False."""
        return list(state) if self.state_is_tuple else [tf.concat(state, axis=-1)]

    def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
        """The flat state before the first step, in a list."""
        batch_size = tf.shape(inputs)[0] if batch_size is None else batch_size
        dtype = dtype or self.compute_dtype
        state = [tf.zeros([batch_size, size], dtype) for size in self._state_sizes]
        return state if self.state_is_tuple else self._joined(state)[0]

    def zero_state(self, batch_size, dtype):
        """`get_initial_state` by TensorFlow 1's name, as a tuple."""
        state = self.get_initial_state(batch_size=batch_size, dtype=dtype)
        return tuple(state) if isinstance(state, list) else state

    def get_config(self):
        return {
            **super().get_config(),
            "units": list(self.units),
            "embedding": self.embedding,
            "top_detector": self.top_detector,
            "combine": self.combine,
            "z_on_copy": self.z_on_copy,
            "boundary": self.boundary,
            "slope": self.scheduled["slope"],
            **{name: _registry(name).serialize(value) for name, value in self.weight_arguments.items()},
            "state_is_tuple": self.state_is_tuple,
        }


@keras.utils.register_keras_serializable("hm_lstm_stack")
class HMLSTMStack(keras.layers.RNN):
    """HMLSTMStack over a sequence: (batch, time, input) -> (batch, embedding).

    Takes the arguments of `HMLSTMStackCell` and of `keras.layers.RNN`, and more:
    return_all_states adds a tuple of `HMLSTMState`, one a layer, of sequences (batch, time, size) at the end of the result;
    return_gates adds a tuple of `HMLSTMGates`, one a layer, of sequences at the very end;
    time_major: (time, batch, ...) comes and goes, masks too;
    unroll: all steps as one graph (True), or so many at once in the loop; debug runs step by step in Python;
    jit_compile: XLA runs the scan, or not, or where it was measured to be faster ("auto");
    memory="low" keeps about the square root of what the way back reads, and computes the rest again.
    """

    def __init__(
        self,
        units,
        embedding,
        top_detector=False,
        combine="blend",
        z_on_copy="recompute",
        boundary="hard",
        slope=1.0,
        return_sequences=False,
        return_state=False,
        return_all_states=False,
        return_gates=False,
        go_backwards=False,
        stateful=False,
        time_major=False,
        unroll=False,
        debug=False,
        jit_compile="auto",
        memory="normal",
        **kwargs,
    ):
        cell = HMLSTMStackCell(
            units,
            embedding,
            top_detector,
            combine,
            z_on_copy,
            boundary,
            slope,
            name="cell",
            dtype=kwargs.get("dtype"),
            trainable=kwargs.get("trainable", True),
            **{name: kwargs.pop(name) for name in _WEIGHT_ARGUMENTS if name in kwargs},
        )
        super().__init__(
            cell,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll is True,
            **kwargs,
        )
        fits = isinstance(unroll, numbers.Integral) and unroll >= 0
        _require(fits, "unroll", "True, False or a number of steps", unroll)
        self.unroll = unroll if isinstance(unroll, bool) else int(unroll)
        self.time_major = time_major
        self.return_all_states = return_all_states
        self.return_gates = return_gates
        self.debug = debug
        _require(jit_compile in ("auto", True, False), "jit_compile", '"auto", True or False', jit_compile)
        _require(memory in ("normal", "low"), "memory", '"normal" or "low"', memory)
        self.jit_compile = jit_compile
        self.memory = memory
        self.input_spec = keras.layers.InputSpec(ndim=3)

    def build(self, sequences_shape, initial_state_shape=None):
        shape = _batch_first(sequences_shape) if self.time_major else sequences_shape
        super().build(shape)
        batch_size = shape[0] if self.stateful else None
        axes = (None, batch_size) if self.time_major else (batch_size, None)
        self.input_spec = keras.layers.InputSpec(shape=(*axes, *shape[2:]))

    @property
    def slope(self):
        """A variable that is not trained: `slope.assign(...)` sets it, at any time."""
        return self.cell.slope

    @tf.autograph.experimental.do_not_convert
    def __call__(self, sequences, *args, **kwargs):
        """Ragged sequences run as long as each is; what is returned of every step is ragged then."""
        ragged = sequences
        if not isinstance(ragged, tf.RaggedTensor):
            return super().__call__(sequences, *args, **kwargs)
        sequences = _dense(sequences)
        _require(not self.time_major, "sequences", "no ragged tensor for time_major=True", ragged.shape)
        _require(
            kwargs.get("lengths") is None, "lengths", "None: ragged sequences have their own", kwargs.get("lengths")
        )
        lengths = ragged.row_lengths()
        result = super().__call__(sequences, *args, **{**kwargs, "lengths": lengths})
        counts = tf.sequence_mask(lengths, tf.shape(sequences)[1])
        if self.go_backwards:  # what a row was filled up with comes first then
            counts = tf.reverse(counts, [1])
        found = list(result) if isinstance(result, tuple) else [result]
        whole = 1 + self.return_state * len(self.cell.state_size)
        for index in (*([0] if self.return_sequences else []), *range(whole, len(found))):
            found[index] = tf.nest.map_structure(
                lambda values: ragged.with_values(tf.boolean_mask(values, counts)), found[index]
            )
        return tuple(found) if isinstance(result, tuple) else found[0]

    def call(self, sequences, initial_state=None, mask=None, lengths=None, training=False):
        """sequences (batch, time, input), or ragged -> output; with return_state, then each state; with return_all_states,
        then all of them over time. initial_state: like the cell's state; mask: (batch, time); lengths: (batch,).
        A step counts if mask and lengths both allow it. Raises ValueError where an argument does not fit.
        """
        _require(sequences.dtype.is_floating, "sequences", _FLOATING, sequences.dtype.name)
        if mask is None:  # Keras itself passes a mask on only if `sequences` is the one tensor given
            mask = getattr(sequences, "_keras_mask", None)
        if self.time_major:
            mask = None if mask is None else tf.transpose(mask)
            sequences = _swapped(sequences)
        batch_size, steps = keras.ops.shape(sequences)[:2]
        if self.unroll is True:
            _require(sequences.shape[1] is not None, "sequences", "of known length for unroll=True", sequences.shape)
        if self.debug and not tf.executing_eagerly():
            raise ValueError("debug=True needs eager mode: compile(..., run_eagerly=True) and no tf.function.")
        if mask is not None:
            mask = tf.cast(mask, tf.bool)
            _require(len(mask.shape) == 2, "mask", "of shape (batch, time)", tuple(mask.shape))
            mask = _of_sizes("mask", mask, (batch_size, steps), "of shape (batch, time), ({}, {}) here")
        if lengths is not None:
            lengths = tf.convert_to_tensor(lengths)
            _require(lengths.dtype.is_integer, "lengths", "integers", lengths.dtype.name)
            _require(len(lengths.shape) == 1, "lengths", "of shape (batch,)", tuple(lengths.shape))
            lengths = _of_sizes("lengths", tf.cast(lengths, tf.int64), (batch_size,), "of shape (batch,), ({},) here")
            least, most = tf.reduce_min(lengths), tf.reduce_max(lengths)
            fits = (least >= 0) & (most <= tf.cast(steps, tf.int64))
            sentence = "`lengths` must be from 0 to {}, the number of steps. Received: {} to {}"
            lengths = _if(fits, lengths, sentence, steps, least, most)
            in_length = tf.sequence_mask(lengths, steps)
            mask = in_length if mask is None else mask & in_length
        given = initial_state is not None or self.stateful
        if initial_state is None:
            initial_state = self.states if self.stateful else self.get_initial_state(batch_size)
        start = _flat_state(self.cell.named(initial_state))
        if given:
            start = tf.nest.map_structure(
                lambda value: _of_sizes("initial_state", value, (batch_size,), "of {} samples"), start
            )
        last_output, outputs, state, states, told = self.inner_loop(sequences, start, mask, training)
        if self.stateful:
            for variable, value in zip(self.states, state):
                variable.assign(value)
        if self.time_major:
            outputs, states, told = tf.nest.map_structure(_swapped, (outputs, states, told))
        result = [outputs if self.return_sequences else last_output]
        if self.return_state:
            result += state
        if self.return_all_states:
            result.append(states)
        if self.return_gates:
            result.append(told)
        return tuple(result) if len(result) > 1 else result[0]

    def compute_mask(self, sequences, mask):
        """What is handed on with the outputs, in their order."""
        mask = tf.nest.flatten(mask)[0]
        if mask is not None and self.go_backwards:
            mask = keras.ops.flip(mask, 0 if self.time_major else 1)
        return super().compute_mask(sequences, mask)

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """The scan -> last output, outputs, last state, all states, what is traced; None for sequences that are not wanted."""
        batch_size, steps = keras.ops.shape(sequences)[:2]
        step_arguments = self.cell.step_arguments()

        xs = {"x": tf.cast(sequences, self.compute_dtype)}
        masks = None if mask is None else tf.expand_dims(mask, -1)
        if self.go_backwards:
            xs = {name: tf.reverse(values, [1]) for name, values in xs.items()}
            masks = None if mask is None else tf.reverse(masks, [1])
        read = [at for at in range(len(initial_state)) if at % 3 in (1,)]
        kept = (
            range(len(initial_state))
            if self.return_all_states or self.return_gates
            else read
            if self.return_sequences
            else []
        )
        wanted = {"return_sequences": False, "return_states": tuple(kept)}
        zero_output = bool(self.zero_output_for_mask)
        if not (self.unroll is True or self.debug):
            wanted |= {"low_memory": self.memory == "low", "unroll": max(1, self.unroll)}
        scan = self._scan(batch_size, steps, training)
        output, state, sequences = scan(
            xs, masks, initial_state, initial_state, step_arguments, zero_output=zero_output, **wanted
        )
        sequences = [tf.transpose(values, [1, 0, 2]) for values in sequences]
        output, outputs = (
            self.cell.read_out(
                state[1::3],
            ),
            None,
        )
        if self.return_sequences:
            found = dict(zip(kept, sequences))
            outputs = self.cell.read_out(
                [found[at] for at in read if at % 3 == 1],
            )
        if mask is not None:  # the output is zero before the first step that counts
            ons = masks[..., 0]
            if zero_output:
                begun, ever = ons, ons[:, -1]
            else:
                begun, ever = tf.cumsum(tf.cast(ons, tf.int32), 1) > 0, tf.reduce_any(ons, 1)
            output = tf.where(ever[:, None], output, tf.zeros_like(output))
            outputs = outputs if outputs is None else tf.where(begun[..., None], outputs, tf.zeros_like(outputs))
        states = tuple(_by_layer(sequences)) if self.return_all_states else None
        told = None
        if self.return_gates:
            before = [tf.concat([first[:, None], values[:, :-1]], 1) for first, values in zip(initial_state, sequences)]
            xs = _counting(xs, masks)
            told = self.cell.gates(xs, before)
            if masks is not None:
                told = tf.nest.map_structure(lambda values: _where(masks, values, tf.zeros_like(values)), told)
        return output, outputs, list(state), states, told

    def _scan(self, batch_size, steps, training):
        """Which scan runs, for sizes that are known (integers) or not (tensors)."""
        if self.unroll is True or self.debug:
            return _unrolled
        long = tf.is_tensor(steps) or steps >= 64
        if tf.is_tensor(batch_size):  # XLA compiles for each: in training they are few, and it pays most
            pays = long and training is True and not tf.is_tensor(steps)
        else:
            pays = long and batch_size <= 512
        eager = tf.executing_eagerly()
        if pays if self.jit_compile == "auto" else self.jit_compile:
            return _scan_in_bucket if eager or tf.is_tensor(steps) else _scan_compiled
        if eager and long:
            return _scan_in_graph
        if training is True and not eager:
            return _scan
        # a SavedModel saves the way back as well, with the tensors that it reads, but no arrays
        return functools.partial(_scan, stacked=True)

    def compute_output_shape(self, sequences_shape, initial_state_shape=None):
        front = tuple(sequences_shape[:2])
        batch_size = front[1] if self.time_major else front[0]
        size, sizes = self.cell.output_size, self.cell.state_size
        result = [(*front, size) if self.return_sequences else (batch_size, size)]
        if self.return_state:
            result += [(batch_size, size) for size in sizes]
        if self.return_all_states:
            result.append(tuple(_by_layer([(*front, size) for size in sizes])))
        if self.return_gates:
            result.append(self.cell.gate_shapes(*front))
        return tuple(result) if len(result) > 1 else result[0]

    def get_config(self):
        config = {**self.cell.get_config(), **super().get_config()}
        del config["cell"]
        del config["state_is_tuple"]
        return {
            **config,
            "time_major": self.time_major,
            "return_all_states": self.return_all_states,
            "return_gates": self.return_gates,
            "debug": self.debug,
            "jit_compile": self.jit_compile,
            "memory": self.memory,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config)
