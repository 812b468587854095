"""Random cells: valid specs over the whole language, each of a seed and a number.

Equations are written from the wanted shape downwards, and whatever an expression asks for (a weight, a value by name,
an option) is declared when it is read; so almost every spec is valid by construction. The same seed and number give
the same text in every process and with every Python.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from cellgen.fuzz.random_cell import Writing
from cellgen.fuzz.random_text import labels_in, reads
from cellgen.ir import OPS

TURNED = 0.5  # of cells that are said to be others, where a weight can be taken with its sign turned
RENAMED = 5  # of so many specs, one has names that look like those which stages make

# of what generated code may call a value or a function without the `_` in front
CALLED = (
    "keep zone once before ready layer_norm layer_norm_back rms_norm softmax_back heaviside norm flat whole xs on "
    "fresh time width"
).split()


@dataclass(frozen=True)
class Case:
    """A spec as text, and the texts of the specs that it names, by stem."""

    text: str
    stem: str = "cell"
    beside: Mapping[str, str] = field(default_factory=dict)


def case(seed: int, number: int) -> Case:
    """The spec of this number: a cell, one that extends another or is said to be another, or a stack."""
    rng, names = Random(f"cellgen {seed} {number}"), Random(f"names {seed} {number}")
    draw = rng.random()
    if draw < 0.08:
        found = _extending(rng)
    elif draw < 0.14:
        found = _stacked(rng)
    elif draw < 0.18:
        found = _reducing(rng)
    else:
        found = Case(Writing(rng).text())
    return _renamed(found, names) if names.randrange(RENAMED) == 0 else found


def _renamed(case: Case, rng: Random) -> Case:
    """The same spec, in which some values, weights, norms and options are called as stages of the compiler might call
    others: a weight that is transposed, the state before, a label's part, what an operation gives."""
    texts = {case.stem: case.text, **case.beside}
    every = "\n".join(texts.values())
    numbered = re.compile(r"\b[A-Za-z]+[0-9]+\b")  # as all names but those of dims, states, ports and relu6
    own = [name for name in dict.fromkeys(numbered.findall(every)) if name not in OPS]
    made = [
        f"{name}_{end}"
        for name in ("h", "c", *own)
        for end in ("T", "prev", "in", "x", "sigmoid", "tanh", "2", "lanes")
    ]
    made += [f"{name}_{label}" for name in own for label in dict.fromkeys(labels_in(every))]
    made += [f"{one}_{other}" for one in own for other in own]
    free = [name for name in dict.fromkeys((*made, *CALLED)) if not reads(every, name)]
    chosen = rng.sample(own, min(len(own), rng.randint(1, 4)))
    instead = dict(zip(chosen, rng.sample(free, len(chosen)), strict=True))

    def called(text: str) -> str:
        return numbered.sub(lambda found: instead.get(found[0], found[0]), text)

    beside = {stem: called(text) for stem, text in case.beside.items()}
    return Case(called(case.text), case.stem, beside)


# --- specs that name others -----------------------------------------------------------------------------------------


def _extending(rng: Random) -> Case:
    """A cell, part of whose equations and options stand in another that it extends."""
    writing = Writing(rng)
    text = writing.text()
    lines = text.splitlines()
    changed = sorted(rng.sample(range(len(writing.bodies)), rng.randint(1, len(writing.bodies))))
    other = _changed(writing, lines, changed)
    end = next((index for index, line in enumerate(lines) if line == "laws: |"), len(lines))
    base = "\n".join(other[: len(other) - len(lines) + end]).replace("cell: Fuzz", "cell: Base") + "\n"
    own = (line for index in changed for line in writing.bodies[index])
    child = ["extends: base", "cell: Fuzz", "equations: |", *own, *lines[end:]]
    return Case("\n".join(child) + "\n", "cell", {"base": base, "whole": text})


def _reducing(rng: Random) -> Case:
    """A cell that is said to be another one, which it is or of which some equations differ. The other may multiply by
    a weight's negative, which the law then says.
    """
    writing = Writing(rng)
    lines = writing.text().splitlines()
    lines = lines[: lines.index("laws: |") if "laws: |" in lines else None]
    plain = [index for index, body in enumerate(writing.bodies) if len(body) == 1]
    changed = rng.sample(plain, min(len(plain), rng.choice((0, 0, 1, 2))))
    other = _changed(writing, lines, changed)
    text = "\n".join(other).replace("cell: Fuzz", "cell: Other") + "\n"
    law, turned = (
        "reduces to other",
        [name for name in writing.sections["params"] if _multiplies(name, other[other.index("equations: |") :])],
    )
    if turned and rng.random() < TURNED:
        name = rng.choice(turned)
        text, law = re.sub(rf"@ {name}\b", f"@ (-{name})", text), f"{law} with {name} = -{name}"
    return Case("\n".join([*lines, "laws: |", f"  {law}"]) + "\n", "cell", {"other": text})


def _multiplies(name: str, lines: list[str]) -> bool:
    """Whether a weight is only ever the right side of a product, whole."""
    text = "\n".join(lines)
    products = len(re.findall(rf"@ {name}\b(?![.\[])", text))
    return 0 < products == len(re.findall(rf"\b{name}\b", text))


def _changed(writing: Writing, lines: list[str], changed: list[int]) -> list[str]:
    """The lines of a spec in which some equations are others; a loop stays as it is, or is an equation again."""
    at, bodies = lines.index("equations: |") + 1, [*writing.bodies]
    end = at + sum(map(len, bodies))
    for index in changed:
        name, shape, value = writing.equations[index]
        bodies[index] = [f"  {name}{f': {shape}' if shape else ''} = {_other(value)}"]
    return [*lines[:at], *(line for each in bodies for line in each), *lines[end:]]


def _other(value: str) -> str:
    """Another expression that reads the same."""
    if value.startswith(("affine", "zoneout", "step", "straight_through")):
        return value
    return f"2 * ({value})"


def _stacked(rng: Random) -> Case:
    """A stack over a cell whose input and output are vectors."""
    inner = Writing(rng, plain=True).text()
    lines = ["stack: FuzzStack", "cell: inner"]
    more = rng.choice(("[side]", "{shape: [side], per: sequence}", "{shape: [2], default: 0.5}", "", "", ""))
    lines += ["inputs:", "  x: [input]", f"  more: {more}"] if more else []
    if rng.random() < 0.5:
        lines.append("layers: units")
        read = "below.h if below else x"
        if more or rng.random() < 0.5:
            lines += ["wiring: |", f"  x = {f'({read}) * tanh(mean(more))' if more else read}"]
    else:
        above = rng.choice(("below.h + below.x", "tanh(below.h) * below.x", "below.h", "below.x"))
        lines += ["layers: depth", "params:", "  embed: [input, units]"]
        read = f"{above} if below else x @ embed"
        lines += ["wiring: |", f"  x = {f'({read}) * tanh(mean(more))' if more else read}"]
    if rng.random() < 0.4:
        lines += ["dims: {size: required}", "readout:", "  params:", "    out: [all, size]", "  equations: |"]
        lines += [f"    y = {rng.choice(('tanh', 'relu', 'linear'))}(concat(each.h) @ out)", "output: y"]
    return Case("\n".join(lines) + "\n", "pile", {"inner": inner.replace("cell: Fuzz", "cell: Inner")})
