"""The keywords of Keras's own layers that a generated one takes.

Input: a cell and the arguments that it has itself. Output: `KeywordView`s. What changes nothing is let pass, so that a
layer can stand where Keras's stood; of the rest it is said what to use.
"""

from collections.abc import Collection, Iterator

from cellgen.emit.records import KeywordView
from cellgen.ir import Apply, Cell, Ref, walk


def keywords(cell: Cell, own: Collection[str]) -> Iterator[KeywordView]:
    """Those besides its `own` arguments."""
    drops = "0, for it drops nothing. A spec says"
    found = {
        "dropout": (
            "(0,)",
            f"{drops} `dropout(x, rate, per=sequence)`",
        ),
        "recurrent_dropout": ("(0,)", f"{drops} `dropout(h[t-1], rate, per=sequence)`"),
        "use_cudnn": ('("auto", False)', "'auto' or False: it does not run on cuDNN. `jit_compile=True` compiles it"),
        "implementation": ("(0, 1, 2)", "0, 1 or 2, which are one here"),
    }
    if "seed" not in own and not cell.noises:
        found["seed"] = ("", "")  # of what is dropped
    before = _resets_before(cell)
    if before is not None:
        other = "gru" if before else "gru_reset_before"
        found["reset_after"] = (f"({not before},)", f"{not before} here. The other is in the spec `{other}`")
    return (KeywordView(name, same, wanted) for name, (same, wanted) in found.items() if name not in own)


def renamed(cell: Cell) -> dict[str, str]:
    """Keras's arguments of the recurrent weights -> those of a weight `recurrent_kernel`."""
    names = {param.name for param in cell.params}
    if "recurrent_kernel" not in names or "recurrent" in names:
        return {}
    kinds = "initializer", "regularizer", "constraint"
    return {f"recurrent_{kind}": f"recurrent_kernel_{kind}" for kind in kinds}


def _resets_before(cell: Cell) -> bool | None:
    """Of a cell like a GRU (one state, three labels, Keras's weights), whether a product of the state is multiplied."""
    weights = {param.name for param in cell.params}
    if (
        len(cell.states) != 1
        or {"kernel", "recurrent_kernel"} - weights
        or [3] != [len(a.labels) for a in cell.axes if len(a.labels) > 2]
    ):
        return None
    state = cell.states[0].name
    operands = [
        node.args[0]
        for equation in cell.equations
        for _, node in walk(equation.value)
        if isinstance(node, Apply) and node.op == "matmul"
    ]
    return any(
        isinstance(node, Apply)
        and node.op == "mul"
        and any(isinstance(arg, Ref) and arg.name == state for arg in node.args)
        for operand in operands
        for _, node in walk(operand)
    )
