"""What `cellgen new` writes: a spec to start from."""

import re
from pathlib import Path

from cellgen.compiler import Library, Spec, shipped
from cellgen.diagnostics import Source
from cellgen.text import NAME, no_module, read

CELL = """\
# {cell}: edit, then
#   cellgen check {file}      shows equations, shapes, sizes, and what could be proved
#   cellgen build {file}      writes generated/{stem}.py and its tests
#   cellgen test {file}       runs them
language: 1
cell: {cell}
about: One gate f says how much of the state is kept; the rest is new.
# papers: ["Author & Author 2024, arXiv:0000.00000, eq. 1-3"]

# Named sizes. `input` is the width of what is read, `units` the first argument of the layer.
dims: {{input: inferred, units: required}}

# Labels: z.f and z.n below are the two parts of z. Their order is the order in the weights.
gates: [f, n]

# Arguments of the layer: true, a number, none, {{one_of: [a, b]}} or {{one_of: activations, default: tanh}}
# options: {{epsilon: 1.0e-5}}

inputs: {{x: [input]}}                          # what a step reads; the batch is not written
state: {{h: [units]}}                           # what is carried, in this order
output: h                                     # a state, or any other value

params:                                       # the weights, in this order
  kernel:           {{shape: [input, gates*units], init: glorot_uniform}}
  recurrent_kernel: {{shape: [units, gates*units], init: orthogonal}}
  bias:             {{shape: [gates*units], init: zeros}}

# Norms, used as ln(v). Statistics are shared over the axes named, each gate has its own if that is [units].
# norms:
#   ln: {{kind: layer, over: [units], epsilon: epsilon, scale: ones, shift: zeros}}

# A masked step: `hold` keeps the state, {{kind: reset, states: [h]}} starts it anew, `none` refuses a mask.
mask: hold

# One equation a line. A bare name is this step's value and stands above; h[t-1] is what the last step left.
# `*` is elementwise, `@` a matrix product; put parentheses where both meet.
equations: |
  z: [gates, units] = x @ kernel + h[t-1] @ recurrent_kernel + bias
  f = sigmoid(z.f)
  n = tanh(z.n)
  h = f * h[t-1] + (1 - f) * n

# Claims: A == B, A in [low, high], A free of h[t-1], each perhaps `when` something is set. `cellgen check` proves them.
laws: |
  h == h[t-1] when f == 1
  h in (-1, 1)
"""

EXTENSION = """\
# {cell}: what differs from {base}. Edit, then
#   cellgen check {file}      shows equations, shapes, sizes, and what could be proved
#   cellgen build {file}      writes generated/{stem}.py and its tests
#   cellgen test {file}       runs them
#   cellgen expand {file}     prints the whole, with what comes from {base}
language: 1
extends: {base}
cell: {cell}
# about: What is new here.
# papers: []

# Write here what differs. Sections merge by key, and `key: null` deletes one; a list is replaced whole. An equation for
# a name that {base} has replaces it in its place, a new one goes before the first that reads it, `name = none` deletes
# one. Laws are kept, and yours are added.

# --- {base} says ---
{text}"""


class Refused(Exception):
    """Why there can be no such spec."""


def start(cell: str, path: Path, base: Spec | None = None) -> str:
    """The text of a spec for a class `cell` at a path; with `base`, of one that extends it and shows what it says.

    Raises `Refused` if there can be no such spec, `SpecError` if the base has errors.
    """
    if problem := no_module(path.stem):
        raise Refused(f"`{path.name}` cannot be built: {problem}")
    if base is None:
        text = CELL.format(cell=cell, stem=path.stem, file=path.as_posix())
    else:
        shown = "".join(f"# {line}".rstrip() + "\n" for line in base.source.text.rstrip("\n").split("\n"))
        text = EXTENSION.format(cell=cell, stem=path.stem, file=path.as_posix(), base=base.stem, text=shown)
    spec = Spec(Source(path.as_posix(), text), path.stem, Library((path.parent, shipped())))
    if base is not None:
        if base.is_stack:
            raise Refused(f"`{base.stem}` is a stack, and only cells are extended: copy it, or extend its cell")
        if base.stem == path.stem:
            raise Refused(f"`{path.stem}` cannot extend a spec of the same name: choose another")
        found = spec.library.find(base.stem)
        if found is None or read(found).text != base.source.text:
            raise Refused(
                f"a spec in the folder `{path.parent}` does not see `{base.source.name}`: "
                "`extends` looks beside the spec, then among the shipped ones. Choose its folder with -o"
            )
    spec.typed()
    return text


def names(name: str) -> tuple[str, str]:
    """The class and the stem that a name means: `my_cell`, `my-cell` and `MyCell` are all `MyCell`, `my_cell`.

    Raises `Refused` if it is none.
    """
    name = name.removesuffix(".yaml")
    stem = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[-_ ]+", "_", name).lower()
    words = "".join(word[:1].upper() + word[1:] for word in stem.split("_"))
    cell = name if name[:1].isupper() and name.isalnum() else words
    if not NAME.fullmatch(cell):
        raise Refused(f"`{name}` is no name for a cell: write a letter, then letters, digits and `_`")
    return cell, stem
