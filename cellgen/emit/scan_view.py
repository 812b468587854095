"""Plan to `ScanView`: the functions of the scan with the derived backward pass, as the templates write them."""

from collections.abc import Collection, Iterable
from dataclasses import replace

from cellgen.emit.expressions import AND, Emitter
from cellgen.emit.records import Groups, ScanView, SegmentView, StatementView
from cellgen.emit.statements import code, statements
from cellgen.ir import TRAINING, Apply, Cell, Given, Node, Ref, asked, children, rebuild, renamed
from cellgen.schedule import GIVEN, Line, Plan, Segment, measured, uses

NUMBERS = ("convert", "cast", "repeat", "range")  # what makes a tensor of a number


def _grouped(triples: Iterable[tuple[str, str, str]]) -> Groups:
    """Names, codes and tests, by the test: what is always there first."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, code_, test in sorted(triples, key=lambda each: each[2] != ""):
        found.setdefault(test, []).append((name, code_))
    return tuple((test, tuple(pairs)) for test, pairs in found.items())


def _aliases(segment: Segment, kept: Collection[str] = ()) -> dict[str, str]:
    """What is only another name of something, in a segment, and nothing that the segment gives: of what it is."""
    found: dict[str, str] = {}
    for block in segment.blocks:
        match block.lines:
            case (Line((target,), Ref(name)),) if target not in (*segment.gives, *kept):
                found[target] = found.get(name, name)
    return found


def _without_aliases(segment: Segment, kept: Collection[str]) -> Segment:
    """The segment without other names of the same, but for those that are kept."""
    alias = _aliases(segment, kept)

    def read(node: Node) -> Node:
        if isinstance(node, Ref):
            return Ref(alias.get(node.name, node.name))
        return rebuild(node, tuple(read(child) for child in children(node)))

    blocks = []
    for block in segment.blocks:
        if not {*block.lines[0].targets} <= alias.keys():
            blocks.append(replace(block, lines=tuple(replace(line, value=read(line.value)) for line in block.lines)))
    return replace(segment, blocks=tuple(blocks))


def scanview(plan: Plan) -> ScanView:
    """Everything the templates write about a scan."""
    return _Viewing(plan).run()


class _Viewing:
    def __init__(self, plan: Plan):
        self.plan = plan
        self.cell: Cell = plan.step.cell
        self.ports = [port.name for port in self.cell.inputs if port.name not in plan.joint.given]
        noises = [noise.name for noise in self.cell.noises]
        slots = plan.step.slots
        self.arguments = [
            *(name for slot in slots for name in (slot.argument, *(t for line in slot.splits for t in line.targets))),
            *plan.step.dims,
            *plan.step.options,
            *(target for line in plan.turned for target in line.targets),
            *plan.once.gives,
            "training",
        ]
        self.values = dict.fromkeys(
            [*self.ports, *noises, *plan.before.gives, *plan.forward.gives, *plan.joint.given, *plan.backward.gives]
        )
        made = (plan.once, plan.before, plan.forward)  # what schedule names of its own too
        blocks = (*plan.step.blocks, *(block for segment in made for block in segment.blocks))
        self.tests = {name: block.test for block in blocks for line in block.lines for name in line.targets}
        self.tests |= {port.name: port.test for port in self.cell.inputs if port.test is not None}
        self.tests |= {name: Given(TRAINING) for name in noises}

    def run(self) -> ScanView:
        plan = self.plan
        count = len(self.cell.outputs)
        outputs, states = plan.joint.given[:count], plan.joint.given[count:]
        inner = {port.name for port in self.cell.inputs if port.inner}
        names = {slot.param.name: slot for slot in plan.step.slots}
        labelled = {}
        for slot in plan.step.slots:
            for line in slot.splits:
                axis = next(axis for axis in self.cell.axes if self.split_by(axis.labels, line))
                labelled |= {(slot.param.name, label): name for label, name in zip(axis.labels, line.targets)}
        self.alias = {**_aliases(plan.backward), **_aliases(replace(plan.after, gives=()))}
        sent, d_inputs = [], {}
        for (name, _, label), cotangent in plan.joint.sent:
            test = self.tests[cotangent]
            said = Emitter(self.cell).test(test) if test else ""
            if name in self.ports:
                d_inputs[name] = name, self.alias.get(cotangent, cotangent), said
            else:
                argument = labelled[name, label] if label else names[name].argument
                sent.append((argument, self.alias.get(cotangent, cotangent), said))
        for port in self.cell.inputs:
            if port.name in self.ports and port.name not in d_inputs:
                test = Emitter(self.cell).test(port.test) if port.test else ""
                zero = "0.0" if port.name in inner else f"tf.zeros_like({port.name})"  # a neighbour's is not kept
                d_inputs[port.name] = port.name, zero, test
        return ScanView(
            once=self.segment(plan.once),
            before=self.segment(plan.before),
            forward=self.segment(plan.forward, like=plan.step.carried[0], without=plan.step.carried),
            backward=self.segment(plan.backward, like=plan.joint.given[0], without=plan.joint.given),
            after=self.segment(replace(plan.after, gives=())),
            transposed=tuple((line.targets[0], line.value.args[0].name) for line in plan.turned),
            d_outputs=tuple(f"{output}, " for output in outputs),
            d_state=", ".join(states) + ("," if len(states) == 1 else ""),
            carried=tuple(self.alias.get(name, name) for name in plan.joint.carried),
            d_inputs=_grouped(d_inputs[name] for name in self.ports if name not in inner),
            d_inner=_grouped(d_inputs[name] for name in self.ports if name in inner),
            d_weights=_grouped(sent),
            differentiated=tuple((name, test) for name, _, test in sent),
            asks=tuple(self.asks()),
        )

    def segment(self, segment: Segment, like: str = "", without: tuple[str, ...] = ()) -> SegmentView:
        emitter = Emitter(self.cell, like=like, dtype="dtype" if segment is self.plan.once else "")
        loop, once = segment is self.plan.forward, segment is self.plan.once
        states = {state.name for state in self.cell.states}
        segment = _without_aliases(segment, {*states, *self.cell.outputs} if loop else ())
        lines = [line for block in segment.blocks for line in block.lines]
        if loop:
            lines += self.plan.step.opening
        sizes = self.cell.needed(axis for line in lines for axis in measured(line))
        kinds = {dim.name: dim.kind for dim in self.cell.dims}
        wanted = set(segment.reads) | {name for name in sizes if kinds.get(name) in GIVEN}
        widths = [test for name in sizes if (axis := self.cell.axis(name)) for _, test in axis.parts if test]
        wanted |= {each.name for test in widths for each in asked(renamed(test, self.cell.connections))}
        texts = [emitter.text(line.value) for line in lines]
        for port in self.ports:
            if any(f"{port}.shape" in text or f"{port}.dtype" in text for text in texts):
                wanted.add(port)
        wanted -= {*without}
        if loop:
            wanted -= {target for line in self.plan.step.opening for target in line.targets}
            wanted |= {option for options in self.plan.arguments.values() for option in options}
        order = [*self.values, *self.arguments]
        parameters = [name for name in dict.fromkeys(order) if name in wanted]
        nodes = [node for line in lines for node in uses(line.value)]
        if once and any(isinstance(node, Apply) and node.op in NUMBERS for node in nodes):
            parameters.append("dtype")
        tests = {name: test for name in (*parameters, *segment.gives) if (test := self.test(name, emitter))}
        opening = self.plan.step.opening if loop else ()
        body = [*self.opening(opening, emitter), *statements(segment.blocks, emitter)]
        return SegmentView(
            parameters=tuple(f"{name}=None" if name in tests else name for name in parameters),
            statements=tuple(body),
            gives=_grouped((name, name, tests.get(name, "")) for name in segment.gives),
        )

    def test(self, name: str, emitter: Emitter) -> str:
        """When a value exists, in code; empty: always."""
        test, options = self.tests.get(name), self.plan.arguments.get(name, ())
        read = " or ".join(f"{option}.reads_x" for option in options)
        if test is None or not read:
            return read if test is None else emitter.test(test)
        return f"{emitter.test(test, AND)} and {f'({read})' if len(options) > 1 else read}"

    def split_by(self, labels: tuple[str, ...], line: Line) -> bool:
        pairs = zip(labels, line.targets)
        return len(labels) == len(line.targets) and all(t == "_" or t.endswith(f"_{label}") for label, t in pairs)

    def opening(self, lines: tuple[Line, ...], emitter: Emitter):
        if lines:
            yield StatementView(tuple(code(line, emitter) for line in lines))

    def asks(self):
        tests = [self.tests[cotangent] for (name, _, _), cotangent in self.plan.joint.sent if name not in self.ports]
        found = {question.name for test in tests if test is not None for question in asked(test)}
        return [name for name in dict.fromkeys(self.arguments) if name in found]
