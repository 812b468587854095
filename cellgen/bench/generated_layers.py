"""The layers that cellgen generates from shipped specs, in memory."""

from itertools import count

from cellgen.bench.functions import functions
from cellgen.bench.lineup import Runners, Unavailable
from cellgen.bench.problem import Problem
from cellgen.compiler import Spec
from cellgen.diagnostics import SpecError
from cellgen.output import module

_NUMBERS = count()


def generated(
    problem: Problem, jit_compile: bool | str, memory: str = "normal", parallel: bool | str = "auto"
) -> Runners:
    """The layer of the workload's spec. Raises `Unavailable` if there is no such spec, or no code for it yet.

    jit_compile, memory and parallel: the layer's arguments. Each has a module of its own: functions at its top are
    traced and compiled once for all of its layers, and another's first call would be shorter for it.
    """
    workload, units = problem.workload, problem.shape.units
    try:
        spec = Spec.at(workload.spec)
        text = spec.build(tests=False)[f"{spec.stem}.py"]
    except SpecError as error:
        raise Unavailable(error.diagnostics[0].message) from None
    built = module(f"{spec.stem}_{next(_NUMBERS)}", text)
    arguments = {"return_sequences": True, "jit_compile": jit_compile}
    if workload.layers:
        layer = built.HMLSTMStack([units] * workload.layers, embedding=units, **arguments)
    else:
        layer = getattr(built, spec.cell().name)(units, memory=memory, parallel=parallel, **arguments)
    layer.build((None, None, problem.shape.input))
    weights = {_name(weight): weight for weight in layer.cell.trainable_variables}
    for name, weight in weights.items():
        weight.assign(problem.weights[name])
    return functions(
        lambda x, mask: layer(x, mask=mask),
        weights,
        trained=lambda x, mask: layer(x, mask=mask, training=True),  # as `fit` calls it
    )


def _name(weight) -> str:
    """`x_w` of the variable at layer_norm_lstm/cell/x_w, `layer1_W` of that at hm_lstm_stack/cell/layer1/W."""
    return "_".join(weight.path.split("/cell/")[-1].split("/"))
