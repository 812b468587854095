"""The variants of a cell: which choices its tests can make, and what exists in each.

A parameter, an option, an input or a label exists in an instance only if an equation that exists reads it; what no
variant reads is a mistake (CG212). At most 64 variants (CG213).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, product

from cellgen.diagnostics import Report, Span
from cellgen.ir import initial_values
from cellgen.ir.cell import NEIGHBOURS, Cell
from cellgen.ir.expr import (
    Activate,
    Apply,
    Both,
    Choose,
    Either,
    Given,
    Is,
    Node,
    Not,
    Pick,
    Ref,
    Test,
    Variant,
    View,
    asked,
    live_walk,
    walk,
)
from cellgen.ir.sources import Sources

MAX_VARIANTS = 64

_READING = Ref, Activate, Pick, Choose

Fact = tuple[str, tuple]  # a question, and the answers to it that some variants have


@dataclass(frozen=True)
class Alive:
    """One variant: the equations that exist, in order, and every name that they read (a carried state as `c[t-1]`)."""

    variant: Variant
    equations: tuple[str, ...]
    reads: frozenset[str]
    labels: frozenset[str]


def variants(cell: Cell) -> tuple[Alive, ...]:
    """Every variant, the one to which everything is given first. Raises `SpecError` (CG212, CG213)."""
    report = Report()
    questions = _questions(cell)
    count = 1
    for answers in questions.values():
        count *= len(answers)
    if count > MAX_VARIANTS:
        names = ", ".join(f"`{name}`" for name in questions)
        span = next(test.span for test in _tests(cell))
        report.add(
            "CG213",
            f"{count} variants; at most {MAX_VARIANTS} are checked",
            span,
            f"the tests ask for {names}",
            help="split the spec in two: one that `extends:` the other",
        )
        report.stop()
    living = Living(cell)
    found = tuple(living.alive(dict(zip(questions, answers, strict=True))) for answers in product(*questions.values()))
    _unused(cell, found, questions, report)
    report.stop()
    return found


def _tests(cell: Cell) -> Iterator[Given | Is]:
    for equation in cell.equations:
        for _, node in walk(equation.value):
            if isinstance(node, Choose):
                yield from asked(node.test)
    for param in cell.params:
        for _, init in param.init:
            yield from initial_values.questions(init)


def _questions(cell: Cell) -> dict[str, tuple]:
    """Each name that the tests of the equations ask for, with its possible answers."""
    words = {option.name: option.words for option in cell.options if option.kind == "word"}
    found: dict[str, tuple] = {} if cell.shown is None else dict.fromkeys(NEIGHBOURS, (True, False))
    for equation in cell.equations:
        for _, node in walk(equation.value):
            if isinstance(node, Choose):
                for test in asked(node.test):
                    found.setdefault(test.name, words.get(test.name, (True, False)))
    return found


class Living:
    """What exists in the variants of a cell; of an equation that has the same choices in several it is found once."""

    def __init__(self, cell: Cell):
        self.cell = cell
        self._sources = {each.name: Sources(each.value, (each.name,)) for each in cell.equations}
        self._found: dict[tuple, tuple[Node, ...]] = {}
        self._rates = {noise.name: noise.rate.name for noise in cell.noises if isinstance(noise.rate, Ref)}
        wired = {dim.name for dim in cell.dims if dim.kind == "wired"}
        # the wiring of a port tells how wide the weights are that have its dims, also where nothing else reads it
        self._telling = {
            param.name: [
                each.name for each in cell.wired if {*chain(*each.shape)} & {*chain(*param.shape or ())} & wired
            ]
            for param in cell.params
        }

    def alive(self, variant: Variant, roots: tuple[str, ...] = ()) -> Alive:
        """What exists in a variant, where `roots` are wanted besides its states and its output."""
        cell, reads, labels, live = self.cell, set(), set(), set()
        leaving = *(state.name for state in cell.states), *cell.outputs
        wanted = [*leaving, *(cell.trace or ()), *(cell.flat or ()), *roots]
        while wanted:
            name = wanted.pop()
            if name in live or name not in self._sources:
                continue
            live.add(name)
            for node in self._nodes(name, variant):
                match node:
                    case Ref(read, 0):
                        reads.add(read)
                        wanted += [read, *self._telling.get(read, ())]
                        if read in self._rates:
                            reads.add(self._rates[read])
                    case Ref(read):
                        reads.add(f"{read}[t-1]")
                    case Activate(option):
                        reads.add(option)
                    case Pick(_, label):
                        labels.add(label)
                    case Choose(test):
                        reads.update(each.name for each in asked(test))
        reads.update(state.initial.name for state in cell.states if isinstance(state.initial, Ref))
        order = tuple(equation.name for equation in cell.equations if equation.name in live)
        return Alive(variant, order, frozenset(reads), frozenset(labels))

    def _nodes(self, name: str, variant: Variant) -> tuple[Node, ...]:
        """What reads or chooses anything in an equation, each once."""
        sources = self._sources[name]
        key = name, sources.answers(variant)
        if key not in self._found:
            nodes = (node for _, node in live_walk(sources.node, variant))
            self._found[key] = tuple(dict.fromkeys(node for node in nodes if isinstance(node, _READING)))
        return self._found[key]


def living(layer: Cell) -> Cell:
    """The layer of a stack without what no variant of it has, since the wiring settles options."""
    found = variants(layer)
    reads, labels = (frozenset().union(*sets) for sets in zip(*((each.reads, each.labels) for each in found)))
    equations = frozenset().union(*(each.equations for each in found))
    params = tuple(each for each in layer.params if each.name in reads)
    reads = reads.union(*(initial_values.names(init) for each in params for _, init in each.init))
    axes = []
    for axis in layer.axes:
        kept = [at for at, label in enumerate(axis.labels) if axis.widths is None or label in labels]
        parts = {
            name: tuple(value[at] for at in kept)
            for name in ("labels", "widths", "spans")
            if (value := getattr(axis, name))
        }
        axes.append(replace(axis, **parts))
    theirs = [option for option in layer.options if option.span.source is not layer.source]
    return replace(
        layer,
        axes=tuple(axes),
        options=tuple(each for each in layer.options if each not in theirs or each.name in reads),
        params=params,
        equations=tuple(each for each in layer.equations if each.name in equations),
    )


def _unused(cell: Cell, found: tuple[Alive, ...], questions: dict, report: Report) -> None:
    reads = frozenset().union(*(alive.reads for alive in found))
    live = frozenset().union(*(set(alive.equations) for alive in found))
    labels = frozenset().union(*(alive.labels for alive in found))
    for param in cell.params:
        for _, init in param.init:
            reads |= initial_values.names(init)
    labels |= {label for param in cell.params for label, _ in param.init}

    def unused(what: str, name: str, span: Span, help: str = "") -> None:
        if cell.shown is not None and span.source is not cell.source:
            return  # of a layer's cell, which was looked at by itself; a stack need not read all of it
        if cell.flat is not None and what != "dim":
            return
        report.add(
            "CG212", f"the {what} `{name}` is never used", span, help=help or "read it in an equation, or take it out"
        )

    for equation in {each.name_span: each for each in cell.equations}.values():  # of a loop the last micro-step's
        if equation.name not in live:
            unused("value", equation.name, equation.name_span)
    dead = {each.name for each in cell.equations if each.name not in live}
    # what only a dead equation reads is told once, at that equation
    spared = {
        node.name
        for each in cell.equations
        if each.name in dead
        for _, node in walk(each.value)
        if isinstance(node, Ref)
    }
    norms = {param.name.split("/")[0] for param in cell.params if "/" in param.name and param.name in reads}
    for param in cell.params:
        if "/" not in param.name and param.name not in reads | spared:
            unused("parameter", param.name, param.span)
    for norm in cell.norms:
        if (
            (norm.scale or norm.shift)
            and norm.name not in norms
            and not {f"{norm.name}/scale", f"{norm.name}/shift"} & spared
        ):
            unused("norm", norm.name, norm.span, f"call it in an equation: `{norm.name}(x @ W)`")
    for option in cell.options:
        if option.name not in reads | spared:
            unused("option", option.name, option.span)
    for port in cell.inputs:
        if port.name not in reads | spared:
            implied = port.span.text != port.name
            unused(
                "input",
                port.name,
                port.span,
                f"where `inputs:` is not said there is `{port.name}`: read it" if implied else "",
            )
    for state in cell.states:
        if f"{state.name}[t-1]" not in reads and state.name != cell.output and cell.shown is None:
            unused(
                "state",
                state.name,
                state.span,
                f"nothing reads `{state.name}[t-1]`: a value that is not carried needs no state",
            )
    for axis in cell.axes:
        if axis.counted and not labels & {*axis.labels}:
            if axis.name not in _dims(cell):
                unused("axis", axis.name, axis.span, f"count it, `for k in {axis.name}:`, or take it out")
            continue
        for label, span in zip(axis.labels, axis.spans):
            if label not in labels and not dead:
                what = "gate" if axis.name == "gates" else "label"
                help = f"read it in an equation as `.{label}`, or take it out of `{axis.name}`"
                if axis.counted:
                    what, help = "place", f"read it in an equation as `W[{label}]`, or let `{axis.name}` have fewer"
                unused(what, label, span, help)
    for dim in cell.dims:
        if dim.name not in _dims(cell):
            unused("dim", dim.name, dim.span, "write it in a shape, or take it out")


def _dims(cell: Cell) -> set[str]:
    shapes = [each.shape for each in (*cell.inputs, *cell.states, *cell.params) if each.shape is not None]
    shapes += [norm.over for norm in cell.norms]
    shapes += [tuple((name,) for name in initial_values.names(init)) for each in cell.params for _, init in each.init]
    shapes += [tuple(axis.widths) for axis in cell.axes if axis.widths]
    for equation in cell.equations:
        for _, node in walk(equation.value):
            match node:
                case View(_, shape):
                    shapes.append(shape)
                case Apply("sum" | "mean" | "softmax" | "cumsum") if node.attrs:
                    shapes.append((node.attr("over"),))
    found = {atom for shape in shapes for axis in shape for atom in axis}
    for _ in cell.dims:  # those that they are made of, at any distance
        found |= {each for dim in cell.dims for each in (dim.value, dim.divisor) if dim.name in found}
    return found


def condition(name: str, value: bool | str) -> str:
    """`use_bias`, `not use_bias`, or `combine == blend`."""
    if isinstance(value, bool):
        return name if value else f"not {name}"
    return f"{name} == {value}"


def when(some: tuple[Variant, ...], every: tuple[Variant, ...]) -> Test | None:
    """The shortest test found that holds in exactly these variants of all; None if it holds in every one."""
    if len(some) == len(every):
        return None
    assert some, "what is in no variant is told before"
    for name in every[0]:  # what makes no difference is not asked for
        rest = [{key: value for key, value in variant.items() if key != name} for variant in every]
        fewer = _distinct(rest)
        inside = _distinct(row for row, variant in zip(rest, every) if variant in some)
        if not any(row in inside for row, variant in zip(rest, every) if variant not in some):
            return when(inside, fewer)
    answers = {name: tuple(dict.fromkeys(variant[name] for variant in every)) for name in every[0]}
    common = []
    for name, possible in answers.items():
        mine = tuple(value for value in possible if any(variant[name] == value for variant in some))
        if len(mine) < len(possible):
            common.append((name, mine))

    def asked_for(facts: list[Fact]) -> list[Test]:
        return [_asked(name, values, answers[name]) for name, values in facts]

    for fact in common:
        if _exactly([fact], some, every):
            return _asked(*fact, answers[fact[0]])
    if _exactly(common, some, every):
        return _joined(Both, asked_for(_needed(common, some, every)))
    if common:
        inside = tuple(variant for variant in every if _all(common, variant))
        return _joined(Both, [*asked_for(common), when(some, inside)])
    for name, value in ((name, value) for name, possible in answers.items() for value in possible):
        if all(variant in some for variant in every if variant[name] == value):  # one that is enough, or the rest
            open_ = tuple(variant for variant in every if variant[name] != value)
            rest = tuple(variant for variant in some if variant in open_)
            return Either(_literal(name, value), when(rest, open_))
    # one conjunction for each answer to the first question, joined by `or`
    name = next(iter(answers))
    parts = []
    for value in dict.fromkeys(variant[name] for variant in some):
        mine = tuple(variant for variant in some if variant[name] == value)
        inner = when(mine, tuple(variant for variant in every if variant[name] == value))
        parts.append((_literal(name, value), inner))
    return _joined(Either, [literal if inner is None else Both(literal, inner) for literal, inner in parts])


def _distinct(rows: Iterable[Variant]) -> tuple[Variant, ...]:
    found: list[Variant] = []
    for row in rows:
        if row not in found:
            found.append(row)
    return tuple(found)


def _all(facts: list[Fact], variant: Variant) -> bool:
    return all(variant[name] in values for name, values in facts)


def _exactly(facts: list[Fact], some: tuple[Variant, ...], every: tuple[Variant, ...]) -> bool:
    return sum(_all(facts, variant) for variant in every) == len(some)


def _needed(facts: list[Fact], some: tuple[Variant, ...], every: tuple[Variant, ...]) -> list:
    """The facts without those that the others imply."""
    kept = list(facts)
    for fact in facts:
        fewer = [each for each in kept if each != fact]
        if fewer and _exactly(fewer, some, every):
            kept = fewer
    return kept


def _asked(name: str, values: tuple, possible: tuple) -> Test:
    """Whether the answer is one of some: said by the words that it is, or is not, whichever are fewer."""
    others = [value for value in possible if value not in values]
    if len(values) <= len(others):
        return _joined(Either, [_literal(name, value) for value in values])
    return _joined(Both, [Not(Is(name, word)) for word in others])


def _literal(name: str, value: bool | str) -> Test:
    if isinstance(value, bool):
        return Given(name) if value else Not(Given(name))
    return Is(name, value)


def _joined(pair: type, tests: list[Test]) -> Test:
    out = tests[0]
    for test in tests[1:]:
        out = pair(out, test)
    return out
