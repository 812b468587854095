"""What follows from the structure of a cell alone.

Input: a `TypedCell`. Output: `Facts`, with diagnostics (CG404, CG407 and CG411, a warning and notes). No symbolic
algebra and no numbers: a fact holds because of where the nodes stand.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import reduce
from itertools import combinations
from operator import mul

from cellgen.analyse.gating import Gate, gates
from cellgen.analyse.remarks import Remark, remarks
from cellgen.diagnostics import Diagnostic, Report
from cellgen.ir import (
    OPS,
    Activate,
    Apply,
    Atom,
    Both,
    Either,
    Given,
    Is,
    Level,
    Node,
    Not,
    Path,
    Pick,
    Program,
    Ref,
    Shape,
    Size,
    Test,
    TypedCell,
    Variant,
    View,
    dim,
    total,
    undivided,
    when,
    whole,
)
from cellgen.text import condition_text, notation

# Operations that a number of the result costs, or of the argument where an axis is summed over. Not named: one.
COST = {"linear": 0, "stop_gradient": 0, "straight_through": 0, "softmax": 5, "roll": 0, "shift": 0}
NORM_COST = {"layer": 5, "rms": 3}

_SUMS = {"add", "sub", "neg", "linear", "sum", "mean", "cumsum", "roll", "shift", "stop_gradient"}


@dataclass(frozen=True, slots=True)
class Hoisted:
    """Work that reads no state: it can be done for all steps before the loop."""

    equation: str
    path: Path
    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class Recurrence:
    """How a state follows from the carried ones.

    kind: `input` if it comes of this and earlier inputs alone, as the last input does; `affine` in carried states with
    coefficients that read none but such (a parallel scan), else `elementwise` if nothing couples the lanes of what was
    carried, else `general`. An affine one may keep to its lanes as well: `lanes`.
    among: the states that it comes from, at any distance. Those of one that is not general are of its kind.
    """

    kind: str
    lanes: bool
    among: tuple[str, ...]


@dataclass(frozen=True)
class VariantFacts:
    """The facts of one variant.

    unreached: states that never matter to the output. parameters, frozen: how many numbers are trained, and how many
    are not; operations: how many a step of one sample takes, as formulas in the dims. An elementwise operation or an
    activation is one for each number computed, `[m] @ [m, n]` is 2*m*n; what reads no input and no state is not
    counted.
    """

    variant: Variant
    levels: Mapping[str, Level]
    hoisted: tuple[Hoisted, ...]
    recurrences: Mapping[str, Recurrence]
    gates: tuple[Gate, ...]
    unreached: tuple[str, ...]
    parameters: Size
    frozen: Size
    operations: Size


@dataclass(frozen=True)
class Facts:
    """`variants` are in the typed cell's order, as are `programs`, in which they were found: to be looked at again.
    `exists_if` has the parameters and equations of some variants only."""

    variants: tuple[VariantFacts, ...]
    exists_if: Mapping[str, Test]
    diagnostics: tuple[Diagnostic, ...]
    programs: tuple[Program, ...] = field(compare=False, repr=False)

    def of(self, variant: Variant) -> VariantFacts:
        return next(each for each in self.variants if each.variant == variant)


def analyse(typed: TypedCell) -> Facts:
    """The facts of every variant. Raises nothing: its diagnostics are warnings and notes."""
    programs = tuple(Program(typed, variant) for variant in typed.variants)
    variants = [variant.variant for variant in typed.variants]
    facts = tuple(map(_facts, programs))
    exists_if = {}
    there = [{*variant.live, *(weight.name for weight in variant.weights)} for variant in typed.variants]
    for each in (*typed.cell.params, *typed.cell.equations):
        test = condition([(variant, each.name in names) for variant, names in zip(variants, there)])
        if test is not None:
            exists_if[each.name] = test
    report = Report()
    tell(report, variants, [remarks(program, each.unreached) for program, each in zip(programs, facts)])
    return Facts(facts, exists_if, report.diagnostics, programs)


def tell(report: Report, variants: list[Variant], found: list[Iterable[Remark]]) -> None:
    """The remarks of each variant, each once, with the test under which it holds."""
    said: dict[Remark, list[Variant]] = {}
    for variant, some in zip(variants, found):
        for remark in dict.fromkeys(some):
            said.setdefault(remark, []).append(variant)
    for remark, where in said.items():
        message = remark.message + condition_suffix([(variant, variant in where) for variant in variants])
        report.add(remark.code, message, remark.span, remark.text, help=remark.help, severity=remark.severity)


def _facts(program: Program) -> VariantFacts:
    variant, frozen = program.variant, program.cell.frozen
    reached = {
        name for end in program.cell.ends(variant.variant) for name in (end, *program.cone(end), *program.carried(end))
    }
    return VariantFacts(
        variant.variant,
        {name: type.level for name, type in variant.names.items()},
        tuple(hoisted for name in program.equations for hoisted in _hoisted(program, *program.root(name))),
        _recurrences(program),
        gates(program),
        tuple(state for state in program.states if state not in reached),
        *(
            total(size(program, weight.shape) for weight in variant.weights if (weight.name in frozen) == still)
            for still in (False, True)
        ),
        total(_cost(program, *each) for each in program.everything if program.level(each[1]) > Level.CONSTANT),
    )


# --- before the loop ------------------------------------------------------------------------------------------------


def _hoisted(program: Program, node: Node, path: Path) -> Iterator[Hoisted]:
    """The largest pieces that read no state, if there is work in them."""
    level = program.level(path)
    if level is Level.CARRIED:
        for child in program.below(node, path):
            yield from _hoisted(program, *child)
    elif any(_works(program, *each) for each in program.walk(node, path)):
        name = path[0]
        whole_equation = path == program.root(name)[1]
        text = notation(program.made(node))
        yield Hoisted(name, path, level, f"{name} = {text}" if whole_equation else text)


def _works(program: Program, node: Node, path: Path) -> bool:
    """Whether the node computes anything; for a constant, more than one number."""
    many = any(axis != (1,) for axis in program.shape(path))
    return bool(_cost(program, node, path).terms) and (many or program.level(path) > Level.CONSTANT)


# --- the class of the recurrence ------------------------------------------------------------------------------------


class Touch(IntEnum):
    """How a value depends on the carried states."""

    NONE = 0
    ALLOWED = 1
    OTHERWISE = 2


def _recurrences(program: Program) -> dict[str, Recurrence]:
    handed = _handed(program)
    affine, lanes = (_closed(program, rule, handed) for rule in (_affine, _elementwise))
    kinds = {"input": handed, "affine": affine, "elementwise": lanes, "general": program.states}
    return {
        state: Recurrence(
            next(kind for kind, states in kinds.items() if state in states), state in lanes, program.carried(state)
        )
        for state in program.states
    }


def _handed(program: Program) -> list[str]:
    """The states that are handed on: all they come of is inputs, and states like them, but not themselves."""
    found: list[str] = []
    while True:
        reads = {
            state: {ref.name for name in program.cone(state) for ref in program.reads(name) if ref.ago}
            for state in program.states
            if state not in found
        }
        new = [state for state, before in reads.items() if before <= {*found}]
        if not new:
            return found
        found += new


def _closed(program: Program, rule: Callable[[str, list[Touch]], Touch], handed: list[str]) -> list[str]:
    """The most states that keep to a rule while they read no states but each other, and those that are handed on."""
    states = [state for state in program.states if state not in handed]
    while True:
        touches: dict[str, Touch] = {}
        for name in program.equations:
            touches[name] = _touch(program, program.root(name)[0], rule, states, touches, handed)
        kept = [state for state in states if touches[state] is not Touch.OTHERWISE]
        if kept == states:
            return states
        states = kept


def _touch(program: Program, node: Node, rule, states: list[str], touches: Mapping, handed: list[str]) -> Touch:
    if isinstance(node, Ref):
        if node.ago and node.name in handed:
            return Touch.NONE
        if node.ago:
            return Touch.ALLOWED if node.name in states else Touch.OTHERWISE
        return touches.get(node.name, Touch.NONE)
    found = [_touch(program, child, rule, states, touches, handed) for child, _ in program.below(node)]
    if not any(found):
        return Touch.NONE
    if isinstance(node, (Pick, View)):
        return found[0]
    return rule(node.op if isinstance(node, Apply) else "", found)


def _affine(op: str, found: list[Touch]) -> Touch:
    """`op` is an operation, or empty for an activation that an option chooses."""
    if op in _SUMS or op in ("mul", "matmul", "outer", "conv") and min(found) is Touch.NONE:
        return max(found)
    if op == "where" and found[0] is Touch.NONE:
        return max(found)
    if op == "div" and found[1] is Touch.NONE or op == "straight_through":
        return found[0]
    return Touch.OTHERWISE


def _elementwise(op: str, found: list[Touch]) -> Touch:
    return max(found) if not op or OPS[op].shape == "elementwise" else Touch.OTHERWISE


# --- sizes ----------------------------------------------------------------------------------------------------------


def size(program: Program, shape: Shape) -> Size:
    """How many numbers a value of this shape has, as a formula."""
    if shape not in program.sizes:
        same = program.variant.same
        atoms = [same.get(atom, atom) for axis in shape for atom in axis]
        lengths = (_length(program, atom) for atom in undivided(atoms, program.cell.dims))
        program.sizes[shape] = reduce(mul, lengths, whole(1))
    return program.sizes[shape]


def _length(program: Program, atom: Atom) -> Size:
    """A labelled axis has as many places as labels, or the widths of the labels that a live equation reads."""
    if isinstance(atom, int):
        return whole(atom)
    axis = program.cell.axis(atom)
    if axis is None:
        return dim(atom)
    if axis.widths is None:
        return whole(len(axis.labels))
    return total(size(program, (axis.width(label),)) for label in axis.labels if label in program.picked)


def _cost(program: Program, node: Node, path: Path) -> Size:
    """The operations of a node, without those of what it is applied to."""
    shape = program.shape(path)
    if isinstance(node, Activate):
        return size(program, shape)
    if not isinstance(node, Apply) or node.op in ("add", "sub") and any(map(program.is_zero, node.args)):
        return Size()
    below = program.below(node, path)
    first = program.shape(below[0][1] if below else path)
    match OPS[node.op].shape:
        case "contract":
            return 2 * size(program, shape) * size(program, first[-1:])
        case "convolve":
            kernel = program.shape(program.below(node, path)[1][1])
            return 2 * size(program, shape) * size(program, kernel[:-1])
        case "reduce" | "along":
            return COST.get(node.op, 1) * size(program, first)
        case "normalize":
            return NORM_COST[node.attr("kind")] * size(program, shape)
    return COST.get(node.op, 1) * size(program, shape)


# --- conditions -----------------------------------------------------------------------------------------------------


def condition(cases: list[tuple[Variant, bool]]) -> Test | None:
    """A test that holds in exactly the variants marked true, of as few names as can be. None if it is all or none."""
    if len({so for _, so in cases}) < 2:
        return None
    names = tuple(cases[0][0])
    for count in range(1, len(names) + 1):
        for some in combinations(names, count):
            rows = dict.fromkeys((tuple(variant[name] for name in some), so) for variant, so in cases)
            if len({row for row, _ in rows}) == len(rows):
                return _formula(some, [row for row, so in rows if so], [row for row, _ in rows])


def condition_suffix(cases: list[tuple[Variant, bool]]) -> str:
    """` where TEST`, or nothing if all are marked."""
    test = condition(cases)
    return f" where {condition_text(test)}" if test else ""


def _formula(names: tuple[str, ...], wanted: list[tuple], rows: list[tuple]) -> Test:
    """`a and b` if what the wanted rows share says it all, `not a or not b` if the others', else row by row."""
    others = [row for row in rows if row not in wanted]
    for inside, outside, join, question in ((wanted, others, Both, _question), (others, wanted, Either, _denied)):
        shared = [(at, inside[0][at]) for at in range(len(names)) if len({row[at] for row in inside}) == 1]
        if shared and not any(all(row[at] == value for at, value in shared) for row in outside):
            return _joined(join, [question(names[at], value) for at, value in shared])
    return when(*(tuple(dict(zip(names, row)) for row in some) for some in (wanted, rows)))


def _joined(join, tests: list[Test]) -> Test:
    first, *others = tests
    for each in others:
        first = join(first, each)
    return first


def _question(name: str, value: bool | str) -> Test:
    return Is(name, value) if isinstance(value, str) else Given(name) if value else Not(Given(name))


def _denied(name: str, value: bool | str) -> Test:
    return Not(Given(name)) if value is True else Given(name) if value is False else Not(Is(name, value))
