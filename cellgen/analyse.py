"""What follows from the structure of a cell alone: `analyse(typed) -> Facts`.

Input: a `TypedCell`. Output: `Facts`, the same for the same cell on every machine, and diagnostics (CG404 to CG408,
warnings and notes). No symbolic algebra: a fact holds because of where the nodes stand.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from itertools import combinations

from cellgen import ranges
from cellgen.cell import Level, TypedCell, TypedVariant
from cellgen.diagnostics import Diagnostic, Report
from cellgen.expr import (
    Activate, Apply, Both, Choose, Either, Given, Is, Node, Not, Number, Path, Pick, Ref, Shape, Test, Variant, View,
    live_children,
)
from cellgen.notation import condition_text, notation
from cellgen.ops import OPS, Interval
from cellgen.sizes import Size, dim, total, whole
from cellgen.span import Span

# Operations a number of the result costs; of an operation along an axis, a number of its argument. Not named: one.
COST = {"linear": 0, "stop_gradient": 0, "straight_through": 0, "softmax": 5}
NORM_COST = {"layer": 5, "rms": 3}

_KEEPS_AFFINE = {"add", "sub", "neg", "linear", "sum", "mean", "cumsum", "stop_gradient"}
_INFINITE = {"log", "sqrt", "div", "pow"}


@dataclass(frozen=True, slots=True)
class Hoisted:
    """Work in an equation that reads no state: it can be done for all steps before the loop."""

    equation: str
    path: Path
    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class Recurrence:
    """How a state follows from the carried ones.

    kind: `affine` in carried states, with coefficients that read no state (a parallel scan); `elementwise`, when
    nothing couples the lanes of what was carried; or `general`. An affine one may be both: `lanes`. `among` are the
    states that it reads, by itself or through others; they are of the same kind.
    """

    kind: str
    lanes: bool
    among: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gate:
    """A factor that weighs: it multiplies a carried state, or its complement `1 - g` stands in a product."""

    equation: str
    path: Path
    text: str
    state: str | None


@dataclass(frozen=True)
class VariantFacts:
    """The facts of one variant; `parameters` and `operations` (a step and sample) are formulas in the dims.

    An operation is one number computed: one for an elementwise operation or an activation, 2*m*n for [m] @ [m, n].
    What no input reaches is computed once and not counted. `unreached` are the states that never matter to the output.
    """

    variant: Variant
    levels: Mapping[str, Level]
    hoisted: tuple[Hoisted, ...]
    recurrences: Mapping[str, Recurrence]
    gates: tuple[Gate, ...]
    unreached: tuple[str, ...]
    parameters: Size
    operations: Size


@dataclass(frozen=True)
class Facts:
    """`variants` are in the order of the typed cell's. `exists_if` holds the names that exist in some variants only."""

    variants: tuple[VariantFacts, ...]
    exists_if: Mapping[str, Test]
    diagnostics: tuple[Diagnostic, ...]

    def of(self, variant: Variant) -> VariantFacts:
        return next(each for each in self.variants if each.variant == variant)


def analyse(typed: TypedCell) -> Facts:
    """The structural facts of every variant. Adds no error: its diagnostics are warnings and notes."""
    studies = [_Study(typed, variant) for variant in typed.variants]
    order = [each.name for each in (*typed.cell.params, *typed.cell.equations)]
    found = [{*study.variant.live, *(weight.name for weight in study.variant.weights)} for study in studies]
    exists_if = {}
    for name in order:
        test = condition([(study.variant.variant, name in names) for study, names in zip(studies, found)])
        if test is not None:
            exists_if[name] = test
    return Facts(tuple(study.facts() for study in studies), exists_if, _diagnostics(studies))


def condition(cases: list[tuple[Variant, bool]]) -> Test | None:
    """A test that holds in exactly the variants marked true, over as few names as can be. None if all or none are."""
    if len({is_so for _, is_so in cases}) < 2:
        return None
    for count in range(1, len(cases[0][0]) + 1):
        for names in combinations(cases[0][0], count):
            rows = {(tuple(variant[name] for name in names), is_so) for variant, is_so in cases}
            if len({row for row, _ in rows}) == len(rows):
                return _formula(names, [tuple(variant[name] for name in names) for variant, is_so in cases if is_so], rows)
    return None


def _formula(names: tuple[str, ...], wanted: list, rows: set) -> Test:
    shared = [(name, wanted[0][at]) for at, name in enumerate(names) if len({row[at] for row in wanted}) == 1]
    matching = {row for row, _ in rows if all(row[names.index(name)] == value for name, value in shared)}
    if shared and matching == set(wanted):
        return _all_of([_question(name, value) for name, value in shared])
    cases = [_all_of([_question(*pair) for pair in zip(names, row)]) for row in dict.fromkeys(wanted)]
    test = cases[0]
    for each in cases[1:]:
        test = Either(test, each)
    return test


def _all_of(tests: list[Test]) -> Test:
    test = tests[0]
    for each in tests[1:]:
        test = Both(test, each)
    return test


def _question(name: str, value: bool | str) -> Test:
    return Is(name, value) if isinstance(value, str) else Given(name) if value else Not(Given(name))


def _diagnostics(studies: list["_Study"]) -> tuple[Diagnostic, ...]:
    """Each finding once, with the condition under which it is one."""
    variants = [study.variant.variant for study in studies]
    where: dict[tuple, list[Variant]] = {}
    for study in studies:
        for finding in dict.fromkeys(study.findings()):
            where.setdefault(finding, []).append(study.variant.variant)
    report = Report()
    for (code, severity, message, span, text, help), found in where.items():
        test = condition([(variant, variant in found) for variant in variants])
        only = f" (where {condition_text(test)})" if test else ""
        report.add(code, message + only, span, text, help=help, severity=severity)
    return report.diagnostics


class Touch(IntEnum):
    """How a value depends on the carried states, for one question asked of all of them."""

    NONE = 0
    ALLOWED = 1
    OTHERWISE = 2


class _Study:
    """One variant under study."""

    def __init__(self, typed: TypedCell, variant: TypedVariant):
        self.cell, self.variant = typed.cell, variant
        self.equations = {each.name: each for each in typed.cell.equations if each.name in variant.live}
        self.binary = {state.name for state in typed.cell.states if state.binary}
        self.states = [state.name for state in typed.cell.states]
        self.bounds = cache(self._bounds)
        self.reads = cache(self._reads)

    def facts(self) -> VariantFacts:
        return VariantFacts(
            self.variant.variant,
            {name: type.level for name, type in self.variant.names.items()},
            tuple(self.hoisted()),
            self.recurrences(),
            tuple(dict.fromkeys(gate for gate, _, _ in self.gates())),
            self.unreached(),
            total(self.size(weight.shape) for weight in self.variant.weights),
            self.operations(),
        )

    # --- walking ---

    def root(self, name: str) -> tuple[Node, Path]:
        return self._chosen(self.equations[name].value, (name,))

    def _chosen(self, node: Node, path: Path) -> tuple[Node, Path]:
        while isinstance(node, Choose):
            ((index, node),) = live_children(node, self.variant.variant)
            path = (*path, index)
        return node, path

    def below(self, node: Node, path: Path) -> list[tuple[Node, Path]]:
        """The children, each past the choices that are made."""
        return [self._chosen(child, (*path, index)) for index, child in live_children(node, self.variant.variant)]

    def walk(self, node: Node, path: Path) -> Iterator[tuple[Node, Path]]:
        yield node, path
        for child in self.below(node, path):
            yield from self.walk(*child)

    def everything(self) -> Iterator[tuple[Node, Path]]:
        for name in self.equations:
            yield from self.walk(*self.root(name))

    def level(self, path: Path) -> Level:
        return self.variant.types[path].level

    def _reads(self, name: str) -> tuple[Ref, ...]:
        """What an equation reads, each once."""
        return tuple(dict.fromkeys(node for node, _ in self.walk(*self.root(name)) if isinstance(node, Ref)))

    def cone(self, name: str) -> list[str]:
        """The equations of this step that a value comes from, itself among them."""
        seen, todo = [], [name]
        while todo:
            each = todo.pop()
            if each in self.equations and each not in seen:
                seen.append(each)
                todo.extend(ref.name for ref in self.reads(each) if not ref.ago)
        return seen

    # --- before the loop ---

    def hoisted(self) -> Iterator[Hoisted]:
        for name in self.equations:
            yield from self._hoisted(name, *self.root(name))

    def _hoisted(self, name: str, node: Node, path: Path) -> Iterator[Hoisted]:
        level = self.level(path)
        if level is Level.CARRIED:
            for child in self.below(node, path):
                yield from self._hoisted(name, *child)
        elif any(self._works(each, at) for each, at in self.walk(node, path)):
            whole = f"{name} = " if path == self.root(name)[1] else ""
            yield Hoisted(name, path, level, whole + notation(self.made(node)))

    def _works(self, node: Node, path: Path) -> bool:
        """Whether it computes anything; constants of one number are not worth a word."""
        single = self.level(path) is Level.CONSTANT and not any(axis != (1,) for axis in self.variant.types[path].shape)
        return isinstance(node, (Apply, Activate)) and not single and bool(self._cost(node, path).terms)

    def made(self, node: Node) -> Node:
        """The expression as this variant has it: choices made, and nothing added."""
        match node:
            case Choose():
                return self.made(self._chosen(node, ())[0])
            case Apply("add" | "sub", (a, b)) if self._is_zero(b):
                return self.made(a)
            case Apply("add", (a, b)) if self._is_zero(a):
                return self.made(b)
            case Apply(op, args, attrs, span):
                return Apply(op, tuple(map(self.made, args)), attrs, span)
            case Pick(value, label, span):
                return Pick(self.made(value), label, span)
            case View(value, shape, span):
                return View(self.made(value), shape, span)
            case Activate(option, value, span):
                return Activate(option, self.made(value), span)
            case _:
                return node

    def _is_zero(self, node: Node) -> bool:
        node, _ = self._chosen(node, ())
        return isinstance(node, Number) and node.value == 0

    # --- the class of the recurrence ---

    def recurrences(self) -> dict[str, Recurrence]:
        affine, lanes = self._closed(self._affine), self._closed(self._elementwise)
        out = {}
        for state in self.states:
            kind = "affine" if state in affine else "elementwise" if state in lanes else "general"
            out[state] = Recurrence(kind, state in lanes, self._among(state))
        return out

    def _closed(self, rule: Callable[[str, list[Touch]], Touch]) -> list[str]:
        """The most states that keep to a rule while they read no state but each other."""
        states = list(self.states)
        while True:
            touches: dict[str, Touch] = {}
            for name in self.equations:
                touches[name] = self._touch(*self.root(name), rule, states, touches)
            kept = [state for state in states if touches[state] is not Touch.OTHERWISE]
            if kept == states:
                return states
            states = kept

    def _touch(self, node: Node, path: Path, rule, states: list[str], touches: dict[str, Touch]) -> Touch:
        if isinstance(node, Ref):
            if node.ago:
                return Touch.ALLOWED if node.name in states else Touch.OTHERWISE
            return touches.get(node.name, Touch.NONE)
        found = [self._touch(*child, rule, states, touches) for child in self.below(node, path)]
        if not any(found):
            return Touch.NONE
        if isinstance(node, (Pick, View)):
            return found[0]
        return rule(node.op if isinstance(node, Apply) else "", found)

    @staticmethod
    def _affine(op: str, found: list[Touch]) -> Touch:
        """`op` is an operation, or empty for an activation that an option chooses."""
        if op in _KEEPS_AFFINE:
            return max(found)
        if op in ("mul", "matmul", "outer") and min(found) is Touch.NONE:
            return max(found)
        if op == "div" and found[1] is Touch.NONE or op == "straight_through":
            return found[0]
        if op == "where" and found[0] is Touch.NONE:
            return max(found)
        return Touch.OTHERWISE

    @staticmethod
    def _elementwise(op: str, found: list[Touch]) -> Touch:
        return max(found) if not op or OPS[op].shape == "elementwise" else Touch.OTHERWISE

    def _among(self, state: str) -> tuple[str, ...]:
        seen, todo = set(), [state]
        while todo:
            for name in self.cone(todo.pop()):
                new = {ref.name for ref in self.reads(name) if ref.ago} - seen
                seen |= new
                todo.extend(sorted(new))
        return tuple(each for each in self.states if each in seen)

    def unreached(self) -> tuple[str, ...]:
        reached = {self.cell.output, *self._among(self.cell.output), *self.cone(self.cell.output)}
        return tuple(state for state in self.states if state not in reached)

    # --- gates ---

    def gates(self) -> Iterator[tuple[Gate, Node, Path]]:
        """Every factor that weighs, with where it stands."""
        for node, path in self.everything():
            if isinstance(node, Apply) and node.op == "mul":
                factors = list(self._factors(node, path))
                carried = next((each for each, _ in factors if self._is_carried(each)), None)
                for each, at in factors:
                    weight, at = self._complemented(each, at)
                    weighs = carried is not None or at[:-1] != path and weight is not each
                    if weighs and self.level(at) > Level.CONSTANT and not self._is_carried(weight):
                        state = self._carried(carried).name if carried is not None else None
                        yield Gate(path[0], at, notation(self.made(weight)), state), weight, at

    def _factors(self, node: Node, path: Path) -> Iterator[tuple[Node, Path]]:
        if isinstance(node, Apply) and node.op == "mul":
            for child in self.below(node, path):
                yield from self._factors(*child)
        else:
            yield node, path

    def _complemented(self, node: Node, path: Path) -> tuple[Node, Path]:
        """Of `1 - g`, the g."""
        match node:
            case Apply("sub", _):
                (one, _), inner = self.below(node, path)
                if isinstance(one, Number) and one.value == 1:
                    return inner
        return node, path

    @staticmethod
    def _carried(node: Node) -> Node:
        while isinstance(node, (Pick, View)):
            node = node.value
        return node

    def _is_carried(self, node: Node) -> bool:
        node = self._carried(node)
        return isinstance(node, Ref) and node.ago == 1 and node.name not in self.binary

    # --- what is worth a remark ---

    def findings(self) -> Iterator[tuple]:
        """(code, severity, message, span, text, help) of each."""
        for state in self.unreached():
            yield ("CG404", "warning", f"the state `{state}` cannot reach the output `{self.cell.output}`",
                   self.cell.state(state).span, "nothing that the output reads depends on it", "remove it, or read it")
        for gate, node, path in self.gates():
            if not ranges.bounded(self.bounds(node, path)):
                what = f"`{gate.state}[t-1]`" if gate.state else "a mix"
                yield ("CG405", "warning", f"`{gate.text}` weighs {what} and has no bound", node.span,
                       "no squashing function", f"a gate is squashed, as in `sigmoid({gate.text})`")
        for node, path in self.everything():
            yield from self._exponential(node, path)
            yield from self._carried_below(node, path)
            yield from self._infinite_arm(node, path)

    def _exponential(self, node: Node, path: Path) -> Iterator[tuple]:
        """CG406: an exponential whose argument has no upper bound."""
        named = node.op if isinstance(node, Apply) else ""
        if isinstance(node, Activate):
            named = self.cell.option(node.option).default
        if named in ("exp", "exponential") and self.level(path) > Level.CONSTANT:
            (child, at), = self.below(node, path)
            if self.bounds(child, at).high is None and not self._stabilised(child):
                yield ("CG406", "warning", "an exponential without a stabiliser", node.span,
                       "its argument has no upper bound", "subtract a running maximum: `m = maximum(a, b)`, `exp(a - m)`")

    def _stabilised(self, node: Node) -> bool:
        """Whether a maximum that is subtracted has the rest of the sum among its operands."""
        terms = self._terms(node, 1)
        for at, (sign, term) in enumerate(terms):
            rest = terms[:at] + terms[at + 1 :]
            operands = self._operands(self._defined(term)) if sign < 0 else []
            if any(sorted(map(repr, self._terms(operand, 1))) == sorted(map(repr, rest)) for operand in operands):
                return True
        return False

    def _terms(self, node: Node, sign: int) -> list[tuple[int, Node]]:
        node = self._chosen(node, ())[0]
        match node:
            case Apply("add", (a, b)):
                return self._terms(a, sign) + self._terms(b, sign)
            case Apply("sub", (a, b)):
                return self._terms(a, sign) + self._terms(b, -sign)
            case Apply("neg", (a,)):
                return self._terms(a, -sign)
            case _:
                return [(sign, node)]

    def _defined(self, node: Node) -> Node:
        """What a name stands for in this step."""
        node = self._chosen(node, ())[0]
        while isinstance(node, Ref) and not node.ago and node.name in self.equations:
            node = self.root(node.name)[0]
        return node

    def _operands(self, node: Node) -> list[Node]:
        if isinstance(node, Apply) and node.op == "maximum":
            return [leaf for arg in node.args for leaf in self._operands(self._chosen(arg, ())[0])]
        return [node]

    def _carried_below(self, node: Node, path: Path) -> Iterator[tuple]:
        """CG407: the carried value of a state that already has its new one."""
        names = list(self.equations)
        if isinstance(node, Ref) and node.ago and names.index(path[0]) > names.index(node.name):
            yield ("CG407", "note", f"`{node.name}[t-1]` is read below the equation of `{node.name}`", node.span,
                   f"the carried value; `{node.name}` would be this step's", ())

    def _infinite_arm(self, node: Node, path: Path) -> Iterator[tuple]:
        """CG408: an arm that reads a name which can be infinite, so that a gradient of zero meets it above."""
        if not (isinstance(node, Apply) and node.op == "where"):
            return
        for arm, at in self.below(node, path)[1:]:
            for ref, _ in self.walk(arm, at):
                if isinstance(ref, Ref) and not ref.ago and any(map(self._may_be_infinite, self.cone(ref.name))):
                    yield ("CG408", "note", f"`{ref.name}` is computed where `where` does not choose it too", ref.span,
                           "if it is infinite there, its gradient is 0 * inf", "write its expression inside the `where`")

    def _may_be_infinite(self, name: str) -> bool:
        for node, path in self.walk(*self.root(name)):
            if isinstance(node, Apply) and node.op in _INFINITE and self.level(path) > Level.CONSTANT:
                (first, at), *others = self.below(node, path)
                if node.op == "div":
                    first, at = others[0]
                if node.op == "pow" and others[0][0] in (Number(n) for n in range(1, 9)):
                    continue
                if self.level(at) > Level.CONSTANT and not self._away_from_zero(self.bounds(first, at)):
                    return True
        return False

    @staticmethod
    def _away_from_zero(interval: Interval) -> bool:
        return interval.low is not None and interval.low > 0 or interval.high is not None and interval.high < 0

    # --- bounds ---

    def _bounds(self, node: Node, path: Path) -> Interval:
        """The range that a value has by its operations alone."""
        if self.variant.types[path].binary:
            return Interval(ranges.UNIT.low, ranges.UNIT.high)
        match node:
            case Number(value):
                return ranges.point(value)
            case Ref(name, 0) if name in self.equations:
                return self.bounds(*self.root(name))
            case Ref(name):
                option = next((each for each in self.cell.options if each.name == name), None)
                return Interval(option.low, option.high) if option else ranges.REAL
            case Pick() | View():
                return self.bounds(*self.below(node, path)[0])
            case Activate(option):
                return ranges.RANGE[self.cell.option(option).default](self.bounds(*self.below(node, path)[0]))
            case Apply("pow", (base, Number(value))) if value.denominator == 1 and abs(value) < 16:
                return ranges.power(self.bounds(*self.below(node, path)[0]), int(value))
            case Apply(op):
                return ranges.RANGE[op](*(self.bounds(*child) for child in self.below(node, path)))

    # --- sizes ---

    def size(self, shape: Shape) -> Size:
        out = whole(1)
        for axis in shape:
            for atom in axis:
                out *= self._length(atom)
        return out

    def _length(self, atom: str | int) -> Size:
        """A labelled axis counts its labels, or the widths of those that a live equation reads."""
        axis = self.cell.axis(atom) if isinstance(atom, str) else None
        if isinstance(atom, int):
            return whole(atom)
        if axis is None:
            return dim(self.variant.same.get(atom, atom))
        if axis.widths is None:
            return whole(len(axis.labels))
        read = {node.label for node, _ in self.everything() if isinstance(node, Pick)}
        return total(self.size((axis.width(label),)) for label in axis.labels if label in read)

    def operations(self) -> Size:
        return total(self._cost(node, path) for node, path in self.everything() if self.level(path) > Level.CONSTANT)

    def _cost(self, node: Node, path: Path) -> Size:
        """The numbers a node computes, its operands not counted."""
        if isinstance(node, Activate):
            return self.size(self.variant.types[path].shape)
        if not isinstance(node, Apply) or node.op in ("add", "sub") and any(map(self._is_zero, node.args)):
            return Size()
        shape = self.variant.types[path].shape
        first = self.variant.types[self.below(node, path)[0][1]].shape
        match OPS[node.op].shape:
            case "contract":
                return 2 * self.size(shape) * self.size(first[-1:])
            case "reduce" | "along":
                return COST.get(node.op, 1) * self.size(first)
            case "normalize":
                return NORM_COST[node.attr("kind")] * self.size(shape)
            case _:
                return COST.get(node.op, 1) * self.size(shape)


def where(test: Test | None) -> str:
    """A condition in words, or nothing."""
    return f" where {condition_text(test)}" if test else ""


def span_of(node: Node) -> Span:
    return node.span
