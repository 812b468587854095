"""A cell with random numbers: one variant of it, its weights, an input for each step, and a state."""

from dataclasses import dataclass
from random import Random

import numpy as np

from cellgen.interpret import Instance
from cellgen.ir import TRAINING, TypedCell, TypedVariant
from cellgen.refute import drawn, given, numbers

BATCH, STEPS = 2, 3


@dataclass
class Run:
    """An instance with random weights, an input for each step and a state, all by name."""

    instance: Instance
    variant: TypedVariant
    training: bool
    weights: dict[str, np.ndarray]
    steps: list[dict[str, np.ndarray]]
    state: dict[str, np.ndarray]


def run_of(
    typed: TypedCell, variant: TypedVariant, rng: Random, scale: float = 0.7, steps: int = STEPS, batch: int = BATCH
) -> Run:
    """A random run of one variant."""
    cell, training = typed.cell, bool(variant.variant.get(TRAINING, False))
    chosen = given(cell, variant, {}, rng, rng.randrange(4))
    for option in cell.options:
        if option.kind == "number" and option.low is not None and option.high is not None and rng.random() < 0.4:
            chosen[option.name] = float(rng.choice((option.low, option.high)))
    instance = Instance(typed, chosen)
    settings = instance.settings

    def array(shape, binary=False, scale=scale):
        return np.asarray(numbers(rng, tuple(shape), scale, binary), float).reshape(shape)

    weights = {name: array(shape) + 1.0 * name.endswith("/scale") for name, shape in instance.weights.items()}
    held: dict[str, np.ndarray] = {}
    sequence = []
    for step in range(steps):
        inputs = {}
        for port in cell.inputs:
            if settings.connected(port):
                shape = (batch, *settings.shape(port.shape))
                inputs[port.name] = (
                    np.full(shape, float(step)) if port.index else array(shape, port.binary, max(scale, 0.7))
                )
                if port.constant:
                    inputs[port.name] = held.setdefault(port.name, inputs[port.name])
        for noise in cell.noises:
            if noise.name in variant.names:
                type = variant.names[noise.name]
                shape = (*[batch] * type.level.has_batch, *settings.shape(type.shape))
                rate = float(settings.exactly(noise.rate))
                value = np.asarray(drawn(rng, shape, noise.kind, rate), float).reshape(shape)
                inputs[noise.name] = held.setdefault(noise.name, value) if noise.held else value
        sequence.append(inputs)
    state = {each.name: array((batch, *settings.shape(each.shape)), each.binary) for each in cell.states}
    return Run(instance, variant, training, weights, sequence, state)


def constructor(instance: Instance) -> dict[str, object]:
    """What makes an instance like this one, of its own cell or of another that declares the same."""
    cell, settings = instance.cell, instance.settings
    sizes = {dim.name: settings.sizes[dim.name] for dim in cell.dims if dim.name in settings.sizes}
    ports = {port.name: True for port in cell.inputs if port.optional and settings.connected(port)}
    given, same = {**sizes, **settings.options, **ports}, settings.variants[False].same
    return {name: value for name, value in given.items() if name not in same}
