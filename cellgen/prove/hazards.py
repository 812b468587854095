"""What ranges tell of a program that is well-typed: remarks (CG405, CG406, CG408, CG410, CG412), never errors."""

from collections.abc import Iterator
from dataclasses import dataclass

from cellgen.analyse import Remark, gates
from cellgen.ir import Activate, Apply, Interval, Level, Node, Path, Program, Ref, intervals
from cellgen.prove.conditions import met, under
from cellgen.prove.domains import BASE, NOT_NEGATIVE, NOT_ZERO, POSITIVE, Demand, Guard, arms, demands
from cellgen.prove.enclose import Enclosure
from cellgen.prove.meaning import Meaning
from cellgen.prove.symbols import Expr
from cellgen.text import notation

_MENDS = {
    NOT_ZERO: "keep it away from 0, as in `maximum({0}, 1.0e-6)`; of a state, its range may be a law",
    POSITIVE: "keep it there, as in `maximum({0}, 1.0e-6)`",
    BASE: "keep it above 0, as in `maximum({0}, 1.0e-6)`, or write the exponent as a number",
    NOT_NEGATIVE: "keep it there, as in `maximum({0}, 0)`",
}
_TESTS = ("step", "less", "less_equal", "greater", "greater_equal")


def hazards(program: Program, meaning: Meaning, enclosure: Enclosure) -> Iterator[Remark]:
    """Of one variant, in runs from the initial state; the activations that options choose are those of `meaning`."""
    return _Hazards(program, meaning, enclosure).remarks()


@dataclass(frozen=True)
class _Hazards:
    program: Program
    meaning: Meaning
    enclosure: Enclosure

    def remarks(self) -> Iterator[Remark]:
        yield from self._gates()
        for node, path, guards in self._guarded():
            if self.program.level(path) > Level.CONSTANT:
                yield from self._exponential(node, path, under(self.enclosure, guards))
                yield from self._decided(node, path)
        yield from self._partial()

    def _guarded(self) -> Iterator[tuple[Node, Path, tuple[Guard, ...]]]:
        """Every node of the equations, parents first, with what guards it."""
        todo = [(*self.program.root(name), ()) for name in self.program.equations][::-1]
        while todo:
            node, path, guards = todo.pop()
            yield node, path, guards
            more = arms(self.meaning, node, path, self.program.variant.types)
            todo += [(*child, guards + own) for child, own in zip(self.program.below(node, path), more)][::-1]

    def _of(self, node: Node, path: Path, enclosure: Enclosure | None = None) -> Interval:
        return intervals.hull_of((enclosure or self.enclosure).of(expr) for expr in self._lanes(node, path))

    def _lanes(self, node: Node, path: Path) -> list[Expr]:
        return [*self.meaning.of(node, path, self.program.variant.types).lanes.values()]

    # --- gates

    def _gates(self) -> Iterator[Remark]:
        """An input beside the sequence, a score or a rate, is as bounded as its caller makes it: here by 0 and 1."""
        names = self.program.variant.names
        beside = [Ref(port.name) for port in self.program.cell.inputs[1:] if port.name in names]
        given = {expr for ref in beside for expr in self.meaning.name(ref).lanes.values() if expr.is_Symbol}
        leaves = {**self.enclosure.leaves, **dict.fromkeys(given, intervals.UNIT)}
        enclosure = Enclosure.given(self.meaning.table, leaves)
        for gate in gates(self.program):
            node = next(node for node, at in self.program.nodes(gate.path[0]) if at == gate.path)
            if not intervals.bounded(self._of(node, gate.path, enclosure)):
                what = f"`{gate.state}[t-1]`" if gate.state else "a mix"
                yield Remark(
                    "CG405",
                    "warning",
                    f"`{gate.text}` weighs {what} and has no bound",
                    gate.node.span,
                    "no squashing function",
                    f"squash it, as in `sigmoid({gate.text})`",
                )

    # --- exponentials

    def _exponential(self, node: Node, path: Path, enclosure: Enclosure | None) -> Iterator[Remark]:
        if not self._is_exponential(node) or enclosure is None:
            return
        ((argument, at),) = self.program.below(node, path)
        if self._of(argument, at, enclosure).high is None and not self._is_scale(argument, at):
            yield Remark(
                "CG406",
                "warning",
                f"`{notation(self.program.made(node))}` has no stabiliser",
                node.span,
                "its argument has no upper bound",
                "subtract a running maximum: `m = maximum(a, b)`, then `exp(a - m)`",
            )

    def _is_exponential(self, node: Node) -> bool:
        op = node.op if isinstance(node, Apply) else None
        if isinstance(node, Activate):
            op = self.meaning.under.activations[node.option]
        return op in ("exp", "exponential")

    def _is_scale(self, node: Node, path: Path) -> bool:
        """Whether it is minus the maximum that other exponentials subtract: then the result is what stands for 1."""
        subtracted = set()
        for other, at in self.program.everything:
            if self._is_exponential(other):
                sums = [expr for expr in self._lanes(*self.program.below(other, at)[0]) if expr.is_Add]
                subtracted |= {symbol for expr in sums for symbol in expr.free_symbols if expr.coeff(symbol) == -1}
        atoms = self.meaning.table.atoms
        lanes = [-expr for expr in self._lanes(node, path)]
        return all(expr in subtracted and atoms[expr].op == "maximum" for expr in lanes)

    # --- conditions that are decided

    def _decided(self, node: Node, path: Path) -> Iterator[Remark]:
        if isinstance(node, Apply) and node.op in _TESTS:
            found = self._of(node, path)
            if found.low == found.high:
                text = notation(self.program.made(node))
                always = (
                    f"is always {found.low}" if node.op == "step" else "always holds" if found.low else "never holds"
                )
                yield Remark(
                    "CG412",
                    "warning",
                    f"`{text}` {always}",
                    node.span,
                    "what it chooses between is decided",
                    self._why(node, path),
                )

    def _why(self, node: Node, path: Path) -> str:
        """The range of what is compared."""
        found = [(each, self._of(each, at)) for each, at in self.program.below(node, path)]
        known = [
            f"`{notation(self.program.made(each))}` is in {intervals.interval_text(span)}"
            for each, span in found
            if span.low != span.high
        ]
        return " and ".join(known)

    # --- operations that have no value everywhere

    def _partial(self) -> Iterator[Remark]:
        """Those of which it is not shown that they have one. What only arms of `where` read has it where it counts."""
        unmet = {name: found for name in self.program.equations if (found := self._unmet(name))}
        in_arms = list(self._in_arms())
        for ref in in_arms:
            if any(name in unmet for name in self.program.cone(ref.name)):
                message = f"`{ref.name}` is computed also where `where` does not choose it"
                help = "write its expression inside the `where`"
                yield Remark("CG408", "note", message, ref.span, "its gradient there can be 0 * inf", help)
        for name, found in unmet.items():
            reads, arms = (sum(each == Ref(name) for each in some) for some in (self._reads(), in_arms))
            if arms < reads or not reads or name in (*self.program.states, self.program.cell.output):
                for demand in found:
                    yield Remark(
                        "CG410",
                        "warning",
                        f"this is a number only where `{demand.text}` {demand.kind}",
                        demand.span,
                        "that is not shown",
                        _MENDS[demand.kind].format(demand.text),
                    )

    def _unmet(self, name: str) -> list[Demand]:
        root, types = self.program.root(name), self.program.variant.types
        found = demands(self.meaning, *root, types, follow=False)
        return [demand for demand in found if not met(demand, self.enclosure)]

    def _reads(self) -> Iterator[Node]:
        return (node for node, _ in self.program.everything if isinstance(node, Ref))

    def _in_arms(self) -> Iterator[Ref]:
        """What arms of `where` read of this step."""
        for node, path in self.program.everything:
            if isinstance(node, Apply) and node.op == "where":
                for arm in self.program.below(node, path)[1:]:
                    yield from (ref for ref, _ in self.program.walk(*arm) if isinstance(ref, Ref) and not ref.ago)
