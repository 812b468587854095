"""Loops over micro-steps, `for k in depth:`, to the equations of each: `s[k-1] @ R[k]` to `s_1 @ R[2]`.

The last micro-step's values have the names of the loop, those before it `s_1`, `s_2`, and `s[0]` is `s_0`. So what
follows knows plain equations alone. A micro-step's value that nothing reads is left out if another's is read.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from cellgen.diagnostics import Label, Refused, Report, nearest
from cellgen.ir import Apply, Both, Choose, Either, Is, Not, Number, Ref, Test, rebuild
from cellgen.resolve.declarations import Declared
from cellgen.text import MAX_SIZE, Call, Indexed, Loop, Statement, names, parts, size_of, within

ZERO = Number(Fraction(0))


@dataclass(frozen=True)
class MicroSteps:
    """What the loops of a cell define. counts: of each name the number of its micro-steps. starts: those that have a
    value before the first. beside: of each name those of its loop. axes: what loops count.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    starts: frozenset[str] = frozenset()
    beside: Mapping[str, frozenset[str]] = field(default_factory=dict)
    axes: frozenset[int | str] = frozenset()

    def called(self, name: str, number: int) -> str:
        """What the value of a micro-step is called."""
        return name if number == self.counts.get(name) else f"{name}_{number}"

    def every(self, name: str) -> tuple[str, ...]:
        """What the values of a name are called, those of micro-steps that were left out too."""
        return tuple(self.called(name, number) for number in range(1, self.counts[name] + 1))

    def range(self, name: str) -> tuple[int, int]:
        """The numbers of the first and the last value of a name."""
        return 0 if name in self.starts else 1, self.counts[name]

    def at(self, name: str, number: int) -> str | None:
        """What the value of a micro-step is called, if there is one."""
        first, last = self.range(name) if name in self.counts else (1, 0)
        return self.called(name, number) if first <= number <= last else None

    def copied(self, node, number: int, own: frozenset[str], k: str = ""):
        """An expression as it is in one micro-step of a loop, which defines the names `own` and counts by `k`."""
        match node:
            case Ref(name, 0, span) if name == k:
                return Number(Fraction(number), span)
            case Ref(name, 0, span) if name in own:
                return Ref(self.called(name, number), 0, span)
            case Indexed(Ref(name, 0), index, offset, span) if index == k and name in own:
                return Ref(self.called(name, number + offset), 0, span)
            case Indexed(value, index, 0, span) if index == k:
                return Indexed(self.copied(value, number, own, k), "", number, span)
            case Choose(test, a, b, span):
                test = _decided(test, k, number)
                if isinstance(test, bool):
                    return self.copied(a if test else b, number, own, k)
                return Choose(test, self.copied(a, number, own, k), self.copied(b, number, own, k), span)
            case Call(args=args):
                return replace(node, args=tuple(self.copied(each, number, own, k) for each in args))
            case Indexed(value):
                return replace(node, value=self.copied(value, number, own, k))
        return _without_zero(node, rebuild(node, tuple(self.copied(each, number, own, k) for each in parts(node))))


def _without_zero(node, new):
    """`(x @ W if k == 1 else 0) + p` in the second micro-step: `p`."""
    if isinstance(node, Apply) and node.op in ("add", "sub"):
        (left, right), (a, b) = node.args, new.args
        if isinstance(right, Choose) and b == ZERO:
            return a
        if isinstance(left, Choose) and a == ZERO and node.op == "add":
            return b
    return new


def _decided(test: Test, k: str, number: int) -> Test | bool:
    """A test in one micro-step: `k == 1` is so or not."""
    match test:
        case Is(name, word) if name == k:
            return word == str(number)
        case Not(inner, span):
            inner = _decided(inner, k, number)
            return not inner if isinstance(inner, bool) else Not(inner, span)
        case Both(a, b, span) | Either(a, b, span):
            a, b = _decided(a, k, number), _decided(b, k, number)
            settles = isinstance(test, Either)  # a `True` decides an `or`, a `False` an `and`
            if settles in (a, b):
                return settles
            return b if isinstance(a, bool) else a if isinstance(b, bool) else type(test)(a, b, span)
    return test


def unrolled(
    statements: tuple[Statement, ...], declared: Declared, read: Iterable[str], report: Report
) -> tuple[tuple[Statement, ...], MicroSteps]:
    """The statements without loops; what is wrong with one is reported (CG108, CG112, CG206, CG207, CG215, CG220).

    read: names that something else than an equation reads.
    """
    if not any(each.loop or each.starts for each in statements):
        return statements, MicroSteps()
    steps = _Checking(statements, declared, report).steps()
    report.stop()
    out: list[Statement] = []
    for loop, body in _bodies(statements):
        if loop is None:
            out += (replace(each, name=f"{each.name}_0", starts=False) if each.starts else each for each in body)
            continue
        said = "\n  ".join([loop.line.text, *(" ".join(each.text.split()) for each in body)])
        own, size = steps.beside[body[0].name], 0
        for number in range(1, steps.counts[body[0].name] + 1):
            for each in body:
                value = steps.copied(each.value, number, own, loop.name)
                out.append(replace(each, name=steps.called(each.name, number), value=value, text=said))
                size += size_of(out[-1])
            if size > MAX_SIZE:  # it is told below
                break
        within(tuple(out), report)
        report.stop()
    return tuple(_read(out, steps, {*read})), steps


def _bodies(statements: Iterable[Statement]) -> Iterator[tuple[Loop | None, list[Statement]]]:
    """The statements of each loop together, those between loops one by one."""
    loop, body = None, []
    for each in statements:
        if body and (each.loop is None or each.loop is not loop):
            yield loop, body
            body = []
        loop = each.loop
        body.append(each)
    if body:
        yield loop, body


def _read(statements: list[Statement], steps: MicroSteps, wanted: set[str]) -> list[Statement]:
    """Without values of micro-steps that nothing reads: what the last one leaves for a next, say."""
    kept, reads = [], {*wanted}
    for each in reversed(statements):
        if each.loop is None or each.name in reads:
            kept.append(each)
            reads |= {*_reads(each.value, steps)}
    there = {each.name for each in kept}
    unread = {name for name in steps.counts if not any(each in there for each in steps.every(name))}
    return _read(statements, steps, wanted | unread) if unread else kept[::-1]


def _reads(node, steps: MicroSteps) -> Iterator[str]:
    match node:
        case Ref(name, 0):
            yield name
        case Indexed(Ref(name, 0), "", number):
            yield steps.at(name, number) or name
    for part in parts(node) if node is not None else ():
        yield from _reads(part, steps)


class _Checking:
    """What is wrong with loops, said of the lines as they stand."""

    def __init__(self, statements: tuple[Statement, ...], declared: Declared, report: Report):
        self.statements, self.declared, self.report = statements, declared, report
        self.inside = {each.name: each for each in reversed(statements) if each.loop is not None}
        self.starts = {each.name: each for each in reversed(statements) if each.starts}

    def steps(self) -> MicroSteps:
        counts, beside, axes = {}, {}, set()
        for loop, body in _bodies(self.statements):
            if loop is None:
                if body[0].starts:
                    self.start(body[0])
                continue
            try:
                count = self.count(loop)
            except Refused:
                continue
            axes.add(loop.count)
            self.variable(loop)
            self.body(loop, body)
            counts |= {each.name: count for each in body}
            beside |= dict.fromkeys((each.name for each in body), frozenset(each.name for each in body))
        steps = MicroSteps(counts, frozenset(self.starts), beside, frozenset(axes))
        self.collisions(steps)
        return steps

    def count(self, loop: Loop) -> int:
        if isinstance(loop.count, int):
            return loop.count
        axis = next((each for each in self.declared.axes if each.name == loop.count), None)
        counted = [each.name for each in self.declared.axes if each.counted]
        if axis is None or not axis.counted:
            taken = axis is not None or loop.count in self.declared.where
            message = f"`{loop.count}` is no axis that is counted" if taken else f"unknown axis `{loop.count}`"
            help = nearest(loop.count, counted) or f"declare it: `axes: {{{loop.count}: 5}}`"
            if taken:
                help = f"a loop counts an axis of so many places, `axes: {{depth: 5}}`, or is `for {loop.name} in 5:`"
            self.report.refuse("CG220", message, loop.count_span, help=help)
        return len(axis.labels)

    def variable(self, loop: Loop) -> None:
        """What counts the micro-steps has a name of its own."""
        name = loop.name
        defined = next((each.name_span for each in self.statements if each.name == name), None)
        where = self.declared.where.get(name) or defined
        if where is not None:
            context, help = [Label(where, "here")], "count with a name of its own, such as `j`"
            message = f"`{name}` counts micro-steps, and is something else here"
            self.report.add("CG112", message, loop.name_span, context=context, help=help)

    def start(self, statement: Statement) -> None:
        name = statement.name
        loop = self.inside.get(name)
        if loop is None or self.statements.index(statement) > self.statements.index(loop):
            help = f"a start stands above its loop, in which is an equation `{name} = ...` that reads `{name}[k-1]`"
            self.report.add("CG220", f"`{name}[0]` starts no loop", statement.name_span, help=help)
        elif statement is not (first := self.starts[name]):
            context = [Label(first.name_span, "first here")]
            help = "a loop starts from one value"
            self.report.add("CG207", f"`{name}[0]` is defined twice", statement.name_span, context=context, help=help)

    def body(self, loop: Loop, body: list[Statement]) -> None:
        own, above = {each.name: each for each in body}, set()
        for each in body:
            if each.starts:
                help = "it is what the first micro-step reads: write it above the loop"
                self.report.add("CG220", f"the start `{each.left}` stands in its loop", each.name_span, help=help)
            elif each.value is not None:
                self.reads(each.value, loop, own, above, each.name)
            above.add(each.name)

    def reads(self, node, loop: Loop, own: Mapping[str, Statement], above: set[str], name: str) -> None:
        """What an equation of a loop reads is there in its micro-step."""
        refuse = self.report.add
        match node:
            case Ref(read, 0, span) if read in own and read not in above:
                context = [Label(own[read].name_span, "defined here")]
                last = f"the micro-step before it left `{read}[{loop.name}-1]`"
                if read == name:
                    refuse("CG206", f"`{read}` is read in its own equation", span, help=last)
                else:
                    help = (last, f"for this micro-step's `{read}` move its equation up")
                    refuse("CG206", f"`{read}` is not yet defined here", span, context=context, help=help)
            case Indexed(value, index, offset, span) if index == loop.name:
                self.index(value, offset, span, loop, own)
                if isinstance(value, Ref):
                    return
            case Indexed(Ref(read, 0), "", _, span) if read in own:
                help = f"the micro-step before it left `{read}[{loop.name}-1]`"
                refuse("CG220", f"`{read}[...]` is read in its own loop", span, help=help)
                return
            case Call("affine", span=span):
                help = "write the matmul out, with its weight under `params:`, or `affine` above the loop"
                refuse("CG215", "`affine` stands in no loop", span, help=help)
        for part in parts(node):
            self.reads(part, loop, own, above, name)

    def index(self, value, offset: int, span, loop: Loop, own: Mapping[str, Statement]) -> None:
        k, refuse = loop.name, self.report.add
        mine = isinstance(value, Ref) and not value.ago and value.name in own
        if mine and offset == 0:
            help = f"this micro-step's value is the bare name: write `{value.name}`"
            refuse("CG220", f"`{value.name}[{k}]` is a value of the loop", span, help=help)
        elif mine and value.name not in self.starts:
            help = f"write `{value.name}[0] = ...` above the loop: what the first micro-step reads"
            refuse("CG220", f"`{value.name}[{k}-1]` has no start", span, help=help)
        elif not mine and offset:
            text = " ".join(value.span.text.split())
            help = f"a slice is `{text}[{k}]`, and `[{k}-1]` what a name of the loop was in the micro-step before"
            refuse("CG220", f"`{text}` is no value of this loop", span, help=help)

    def collisions(self, steps: MicroSteps) -> None:
        """No micro-step's value is called as anything else is."""
        taken = {each.name: each.name_span for each in self.statements if not each.starts}
        taken |= {**self.declared.where}
        for name, count in steps.counts.items():
            where = (self.starts.get(name) or self.inside[name]).name_span
            for number in range(0 if name in steps.starts else 1, count):
                called = steps.called(name, number)
                if called in taken:
                    what = f"what `{name}` starts from" if number == 0 else f"the micro-step {number} of `{name}`"
                    context = [Label(taken[called], "and so is this")]
                    help = "give one of the two another name"
                    self.report.add("CG112", f"{what} is called `{called}`", where, context=context, help=help)
                elif not names.check(called, self.inside[name].name_span, self.report):
                    break
