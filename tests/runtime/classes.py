"""Cells and layers as a generated file has them, but small and written by hand.

`Leaky` is the cell of `leaky`: two inputs, dropout, masked steps that hold. `Resetting` has one input, a learned
initial state, values that are told, and masked steps that reset. `Tower` is a stack in which a layer reads both
neighbours:

    s = h * h
    h = tanh((h_below or x) @ W + h[t-1] @ U + 0.2 * s_below + 0.3 * h_above[t-1])
"""

import inspect
from typing import NamedTuple

import keras
import tensorflow as tf

from cellgen import runtime
from cellgen.runtime import Cell, Drawing, Layer, Scan, Stack, StackCell, StackLayer
from tests.runtime import leaky
from tests.runtime.leaky import UNITS


@keras.utils.register_keras_serializable("leaky")
class LeakyCell(Drawing, Cell):
    scan = leaky.scan("hold")

    def __init__(
        self,
        units,
        scale=0.8,
        *,
        W_initializer="glorot_uniform",
        W_regularizer=None,
        W_constraint=None,
        U_initializer="orthogonal",
        U_regularizer=None,
        U_constraint=None,
        b_initializer="zeros",
        b_regularizer=None,
        b_constraint=None,
        seed=None,
        state_is_tuple=True,
        **kwargs,
    ):
        super().__init__(**runtime.given(locals()))
        self.units = runtime.size("units", units)
        self.scale = self._schedule("scale", runtime.number("scale", scale))
        self.state_sizes, self.output_size = [self.units] * 2, self.units

    def build(self, input_shape):
        shapes = self._given(input_shape)
        self.W = self._weight("W", [shapes["x"][-1], self.units])
        self.U = self._weight("U", [self.units, self.units])
        self.b = self._weight("b", [3 * (self.units // 3)], ["ones", None, None])
        self.noise_sizes = {"_keep": [self.units]}
        super().build(input_shape)


@keras.utils.register_keras_serializable("leaky")
class Leaky(Layer):
    cell_class = LeakyCell

    def __init__(self, units, scale=0.8, *, U_initializer="orthogonal", return_all_states=False, debug=False, **kwargs):
        super().__init__(**runtime.given(locals()))


class One(NamedTuple):
    h: tf.Tensor


class Told(NamedTuple):
    z: tf.Tensor


def one_step(x, state, *, W, U, activation):
    (h_prev,) = state
    z = x @ W + h_prev @ U
    h = activation(z)
    return h, One(h), Told(z)


def one_forward(state, *, x, W, U, activation, **_):
    z = x @ W + state.h @ U
    h = activation(z)
    return h, One(h), {"h_prev": state.h, "z": z, "h": h}


def one_backward(d_h, d_state, *, z, h, U_T, activation, **_):
    d_z = activation.gradient(d_h + d_state.h, z, h)
    return One(d_z @ U_T), {"_d_z": d_z}


def one_after(*, x, h_prev, _d_z, W_T, **_):
    d_W, d_U = (tf.matmul(each, _d_z, transpose_a=True) for each in (x, h_prev))
    return {"x": _d_z @ W_T}, {"W": d_W, "U": d_U}


class ResettingCell(Cell):
    scan = Scan(
        step=one_step,
        forward=one_forward,
        backward=one_backward,
        after=one_after,
        differentiated=lambda **_: ["W", "U"],
        transposed={"W_T": "W", "U_T": "U"},
        state=One,
        gates=Told,
        initial={"h": "start"},
        mask="reset",
        reset=("h",),
        wide=True,
    )

    def __init__(
        self,
        units,
        activation="tanh",
        *,
        W_initializer="glorot_uniform",
        W_regularizer=None,
        W_constraint=None,
        U_initializer="orthogonal",
        U_regularizer=None,
        U_constraint=None,
        start_initializer="ones",
        start_regularizer=None,
        start_constraint=None,
        state_is_tuple=True,
        **kwargs,
    ):
        super().__init__(**runtime.given(locals()))
        self.units, self.activation = runtime.size("units", units), runtime.activation("activation", activation)
        self.state_sizes, self.output_size = [self.units], self.units

    def build(self, input_shape):
        shapes = self._given(input_shape)
        self.W, self.U = (
            self._weight(name, [size, self.units]) for name, size in (("W", shapes["x"][-1]), ("U", self.units))
        )
        self.start = self._weight("start", [self.units])
        super().build(input_shape)

    def _gate_sizes(self):
        return [self.units]


class Resetting(Layer):
    cell_class = ResettingCell

    def __init__(self, units, activation="tanh", *, return_gates=False, return_all_states=False, **kwargs):
        super().__init__(**runtime.given(locals()))


def tower_forward(state, *, outer_x=None, below_h=None, below_s=None, above_h=None, W, U, _has_below, _has_above, **_):
    x = below_h if _has_below else outer_x
    z = x @ W + state.h @ U
    z = z + 0.2 * below_s if _has_below else z
    z = z + 0.3 * above_h if _has_above else z
    h = tf.tanh(z)
    return {"s": h * h}, One(h), {"x_in": x, "h_prev": state.h, "h": h}


def tower_step(state, **values):
    shown, new, _ = tower_forward(state, **values)
    return shown, new, Told(shown["s"])


tower_step.__signature__ = inspect.signature(tower_forward)  # a scan asks for what a function names


def tower_backward(d_s, d_state, *, h, W_T, U_T, **_):
    d_z = (d_state.h + 2 * h * d_s) * (1 - h * h)
    return One(d_z @ U_T), {"below_h": d_z @ W_T, "below_s": 0.2 * d_z, "above_h": 0.3 * d_z}, {"_d_z": d_z}


def tower_after(*, x_in, h_prev, _d_z, W_T, _has_below, **_):
    d_W, d_U = (tf.matmul(each, _d_z, transpose_a=True) for each in (x_in, h_prev))
    return {} if _has_below else {"outer_x": _d_z @ W_T}, {"W": d_W, "U": d_U}


def tower_readout(h, *, gate):
    return tf.concat(h, -1) @ gate


def tower(**more):
    return Stack(
        step=tower_step,
        forward=tower_forward,
        backward=tower_backward,
        after=tower_after,
        differentiated=lambda **_: ["W", "U"],
        transposed={"W_T": "W", "U_T": "U"},
        state=One,
        gates=Told,
        mask="hold",
        initial={"h": 0.5},
        below={"below_h": "h", "below_s": "s"},
        above={"above_h": "h[t-1]"},
        inputs={"x": "outer_x"},
        shown={"s": lambda layer: [layer["units"]]},
        rows=12,
        **more,
    )


class TowerCell(StackCell):
    scan = tower(output="h")

    def __init__(
        self,
        depth,
        *,
        W_initializer="glorot_uniform",
        W_regularizer=None,
        W_constraint=None,
        U_initializer="orthogonal",
        U_regularizer=None,
        U_constraint=None,
        gate_initializer="glorot_uniform",
        gate_regularizer=None,
        gate_constraint=None,
        state_is_tuple=True,
        **kwargs,
    ):
        super().__init__(**runtime.given(locals()))
        self.depth = runtime.size("depth", depth)
        self.state_sizes, self.output_size = [UNITS] * self.depth, UNITS

    def _sizes(self, index, _has_below, _has_above):
        return {"lower": UNITS if _has_below else self.input_spec.shape[-1], "units": UNITS}

    def _build_layer(self, layer, *, lower, units, **_):
        layer.W, layer.U = (self._weight(*each, of=layer) for each in (("W", [lower, units]), ("U", [units, units])))

    def _build_readout(self, readout):
        readout.gate = self._weight("gate", [self.depth * UNITS, UNITS], of=readout)

    def _gate_sizes(self, *, units, **_):
        return [units]


class ReadTowerCell(TowerCell):
    """With an output that is read from all layers."""

    scan = tower(output="h", readout=tower_readout)
    __init__ = TowerCell.__init__


class Tower(StackLayer):
    cell_class = TowerCell

    def __init__(self, depth, *, return_gates=False, return_all_states=False, debug=False, **kwargs):
        super().__init__(**runtime.given(locals()))


class ReadTower(Tower):
    cell_class = ReadTowerCell
    __init__ = Tower.__init__
