"""StackDocument to `Stack`: the wiring becomes equations of a layer, in front of those of its cell.

`below.h` and `above.h[t-1]` become ports of the layer; a port of the cell becomes an equation; an option that is wired
becomes what its tests ask instead. Raises `SpecError` with every mistake (CG205, CG207, CG210, CG217 to CG219 and those
of `bind`).
"""

from collections.abc import Iterator
from dataclasses import replace

from cellgen.diagnostics import Label, Refused, Report, Source, Span, nearest
from cellgen.document import StackDocument, as_cell
from cellgen.ir import (
    NEIGHBOURS,
    Cell,
    Choose,
    Dim,
    Equation,
    Given,
    Input,
    Node,
    Not,
    Pick,
    Ref,
    Shape,
    Test,
    living,
    rebuild,
    walk,
)
from cellgen.resolve import Declared, Scope, bind, called, declare, initialisers
from cellgen.shapes import shapes, wired_dims
from cellgen.stack.collisions import apart, named
from cellgen.stack.depth import layers
from cellgen.stack.layer import Reading, Stack
from cellgen.stack.readout import readout
from cellgen.stack.rename import read_as, with_dims
from cellgen.stack.roles import Settled, in_place, settle, starting
from cellgen.text import Call, Statement, equations, parts

LAST = {"below": "_last", "above": ""}  # what the last step's is called


def wire(document: StackDocument, cell: Cell, source: Source, stem: str) -> Stack:
    """The stack of a document whose layers are of this cell."""
    return _Wiring(document, cell, source, stem).run()


class _WiringScope(Scope):
    """Names as the wiring reads them: a test may ask for a neighbour."""

    def yes_or_no(self, question: Given) -> None:
        if question.name not in NEIGHBOURS:
            super().yes_or_no(question)


class _Wiring:
    def __init__(self, document: StackDocument, cell: Cell, source: Source, stem: str):
        self.document, self.source, self.stem, self.report = document, source, stem, Report()
        self.ports: dict[str, Input] = {}  # what is read of neighbours, by the name in the layer
        self.readings: dict[str, Reading] = {}
        self.below: list[Span] = []  # where this step's values of the layer below are read
        self.settled: dict[str, Settled] = {}  # options and optional ports, as they are wired
        self.cell = cell

    def run(self) -> Stack:
        document, report = self.document, self.report
        theirs = {dim.name for dim in self.cell.dims if dim.kind not in ("inferred", "optional")}
        outer = declare(as_cell(document), report, theirs)
        statements = equations(document.wiring, report) if document.wiring else ()
        report.stop()
        outer = replace(outer, options=called(outer.options, statements))
        self.cell = apart(document, self.cell, outer, report)
        taken = {each.name for each in named(self.cell)} | {each.name for each in outer.options}
        self.sizes, self.depth = layers(document, self.cell, taken, report)
        for port in outer.inputs:
            if {atom for axis in port.shape for atom in axis} & {*self.sizes}:
                help = "name another dim, or make all layers of one size: `layers: depth`"
                report.add("CG601", f"`{port.name}` has a size that each layer has one of", port.span, help=help)
        statements = statements or (self.upward(outer),)
        report.stop()
        wired = self.wired(statements, outer)
        report.stop()
        read = readout(document, self.cell, outer, report)
        report.stop()
        if read is None and document.output:
            help = "without a readout the output is the last layer's: leave it away"
            report.add("CG205", "there is no readout to give an output", document.output.span, help=help)
        report.stop()
        layer = self.of_one_size(self.layer(wired, outer, read))
        report.stop()
        layer = living(layer)
        gone = {each.name for each in self.cell.equations} - {each.name for each in layer.equations}
        layer = replace(layer, laws=tuple(law for law in layer.laws if self.stays(law, {*self.settled} | gone)))
        own = [option for option in self.cell.options if option in layer.options]
        shared = [dim for dim in self.cell.dims if dim.kind in ("required", "number", "alias", "quotient")]
        return Stack(
            document.stack.value,
            self.stem,
            self.source,
            " ".join(document.about.text.split()) if document.about else "",
            document.family.value if document.family else "",
            tuple(" ".join(paper.text.split()) for paper in document.papers),
            self.cell,
            layer,
            self.sizes,
            self.depth,
            (*shared, *(dim for dim in outer.dims if dim.name not in {each.name for each in shared})),
            outer.inputs,
            (*outer.options, *own),
            wired,
            tuple(" ".join(each.text.split()) for each in statements if each.name in self.settled),
            tuple(self.readings.values()),
            document.cell.span,
            read,
            document.output.value if document.output else self.cell.output,
        )

    # --- the wiring

    def upward(self, outer: Declared) -> Statement:
        """Where nothing is said: each layer reads the output of the one below it."""
        port, span, read = self.cell.inputs[0].name, self.document.stack.span, outer.inputs[0].name
        value = Choose(Given("below"), Pick(Ref("below", 0, span), self.cell.output, span), Ref(read, 0, span), span)
        return Statement(port, None, value, f"{port} = below.{self.cell.output} if below else {read}", span, span)

    def wired(self, statements: tuple[Statement, ...], outer: Declared) -> tuple[Equation, ...]:
        """The equations of the wiring; options and ports that are not there are settled on the way."""
        ports = {port.name: port for port in self.cell.inputs}
        options = {option.name: option for option in self.cell.options}
        where = {each.name: each.name_span for each in statements if each.name not in ports}
        inner = replace(outer, dims=(*outer.dims, *self.cell.dims), inputs=(*outer.inputs,))
        self.scope = _WiringScope(inner, where, self.report)
        self.params = initialisers(self.scope, as_cell(self.document))
        found, seen = [], {}
        for statement in statements:
            name, span = statement.name, statement.name_span
            if name in seen:
                context = [Label(seen[name], "first here")]
                self.report.add("CG207", f"`{name}` is wired twice", span, "again here", context=context)
                continue
            seen[name] = span
            if statement.annotation is not None:
                help = "a port has the shape that the cell says"
                self.report.add("CG202", "a shape has no place here", statement.annotation_span, help=help)
            try:
                if name in {noise.rate.name for noise in self.cell.noises if isinstance(noise.rate, Ref)}:
                    help = f"leave it to the constructor, where `{name}` is that of all layers"
                    message = f"no code is generated for a rate that the wiring says, `{name}`"
                    self.report.refuse("CG601", message, statement.span, help=help)
                if name in options:
                    self.settled[name] = settle(options[name], statement, self.scope)
                else:
                    found += self.equation(statement, ports.get(name), outer)
            except Refused:
                pass
        found += self.unwired(ports, seen)
        return tuple(found)

    def equation(self, statement: Statement, port: Input | None, outer: Declared) -> Iterator[Equation]:
        """The equation of a port, or of a value that the wiring names."""
        name, span, scope = statement.name, statement.name_span, self.scope
        if port is None and name in {each.name for each in named(self.cell)} | set(outer.where):
            help = f"the ports of `{self.cell.stem}` are {', '.join(each.name for each in self.cell.inputs)}"
            self.report.refuse("CG207", f"`{name}` is declared already, and no port", span, help=help)
        value, given = (Ref("none"), False) if statement.value is None else self.present(self.seen(statement.value))
        if port is not None and port.optional:
            self.settled[name] = Settled(given)
        elif given is not True and port is not None and port.default is not None:
            value = port.default if value is None else Choose(given, value, port.default)
        elif given is not True:
            self.report.refuse("CG218", f"`{name}` is always there, so it cannot be `none`", statement.span)
        if value is None or value == Ref("none"):
            return
        scope.current = name
        value = bind(value, scope)
        if port is None:
            scope.defined[name] = span
        yield Equation(name, value, " ".join(statement.text.split()), statement.span, span)

    def present(self, node: "Node | Call") -> tuple:
        """A value without its arms of `none`, and the test under which it is there (True: always)."""
        match node:
            case Ref("none"):
                return None, False
            case Choose(test, a, b):
                self.scope.test(test)
                (a, has_a), (b, has_b) = self.present(a), self.present(b)
                there = Settled.choice(test, has_a, has_b)
                if a is None or b is None:
                    return (b if a is None else a), there
                return replace(node, a=a, b=b), there
        return node, True

    def seen(self, node: "Node | Call") -> "Node | Call":
        """What is read of a neighbour, as a port of the layer."""
        match node:
            case Pick(Ref(layer) as ref, name) if layer in NEIGHBOURS:
                return Ref(self.port(layer, name, ref.ago, node.span).name, 0, node.span)
            case Ref(layer) if layer in NEIGHBOURS:
                help = f"write `{layer}.{self.cell.states[0].name}`, say"
                self.report.refuse("CG218", f"`{layer}` is a layer, no value", node.span, help=help)
            case Call():
                return replace(node, args=tuple(map(self.seen, node.args)))
        return rebuild(node, tuple(map(self.seen, parts(node))))

    def port(self, layer: str, name: str, ago: int, span: Span) -> Input:
        cell, report = self.cell, self.report
        states = {state.name: state for state in cell.states}
        ports = {port.name: port for port in cell.inputs}
        known = [*states, *ports, *(equation.name for equation in cell.equations)]
        if name not in known:
            help = nearest(name, known) or f"its states are {', '.join(states)}"
            report.refuse("CG205", f"the cell `{cell.stem}` has no value `{name}`", span, help=help)
        if ago and name not in states:
            help = f"it carries {', '.join(states)}; this step's is `{layer}.{name}`"
            message = f"`{name}` is no state of `{cell.stem}`, so its last value is not carried"
            report.refuse("CG210", message, span, help=help)
        if layer == "above" and not ago:
            self.cycle(name, span)
        if layer == "below" and not ago:
            self.below.append(span)
        said = f"{layer}_{name}{LAST[layer] if ago else ''}"
        if said not in self.ports:
            of = states.get(name) or ports.get(name)
            shape, binary = (of.shape, of.binary) if of else self.valued(name, span)
            self.ports[said] = Input(said, self.beside(shape, layer), binary, inner=True, when=Given(layer), span=span)
            self.readings[said] = Reading(said, layer, name, ago, span)
            self.scope.inputs[said] = self.ports[said]
        return self.ports[said]

    def cycle(self, name: str, span: Span) -> None:
        """This step's value of the layer above is not there yet, and mostly comes from this very layer."""
        lines = [
            Label(each, f"and that layer reads `{each.text}` of this one, in the same step") for each in self.below
        ]
        state = any(each.name == name for each in self.cell.states)
        self.report.refuse(
            "CG217",
            f"a cycle inside one step: layer 1 reads `{name}` of layer 2, and layer 2 comes after layer 1",
            span,
            "of the layer above, in this step",
            context=lines,
            help=f"the last step's is `above.{name}[t-1]`" if state else "layers run from the first to the last",
        )

    def valued(self, name: str, span: Span) -> tuple[Shape, bool]:
        """The shape and kind of a value of the cell that is neither state nor port."""
        for each in shapes(self.cell).variants:
            if name in each.live and each.names[name].shape:
                return each.names[name].shape, each.names[name].binary
        self.report.refuse("CG218", f"`{name}` is a plain number in every layer", span)

    def beside(self, shape: Shape, layer: str) -> Shape:
        """A shape in the dims of another layer, where layers have sizes of their own."""
        own = {*self.sizes, *(dim.name for dim in self.cell.dims if dim.kind in ("inferred", "optional"))}
        return tuple(tuple(neighbour_dim(layer, atom) if atom in own else atom for atom in axis) for axis in shape)

    def unwired(self, ports: dict[str, Input], seen: dict[str, Span]) -> Iterator[Equation]:
        """Ports that the wiring does not name: one that is optional is not there, one with a default is that."""
        span = self.document.stack.span
        for name, port in ports.items():
            if name in seen:
                continue
            if port.optional:
                self.settled[name] = Settled(False)
            elif port.default is not None:
                text = f"{name} = {float(port.default.value):g}"
                yield Equation(name, port.default, text, span, span)
            else:
                help = f"say what it reads: `{name} = below.{self.cell.output} if below else ...`"
                self.report.add("CG218", f"the port `{name}` of `{self.cell.stem}` is not wired", span, help=help)

    # --- the layer

    def layer(self, wired: tuple[Equation, ...], outer: Declared, read) -> Cell:
        cell = self.cell
        kept = {port.name: port for port in cell.inputs}
        taken = {each.name for each in named(self.cell)}
        renamed = {port.name: f"outer_{port.name}" for port in outer.inputs if port.name in taken}
        wired = [replace(each, value=read_as(each.value, renamed)) for each in wired]
        own = [replace(each, value=in_place(each.value, self.settled)) for each in cell.equations]
        dims = [replace(dim, kind="wired") if dim.kind in ("inferred", "optional") else dim for dim in cell.dims]
        beside = {atom for port in self.ports.values() for axis in port.shape for atom in axis} - {d.name for d in dims}
        dims += [
            Dim(str(atom), "required", span=self.document.stack.span)
            for atom in sorted(map(str, beside))
            if not atom.isdigit()
        ]
        inputs = [replace(port, name=renamed.get(port.name, port.name)) for port in outer.inputs]
        shown = {each.name: None for each in self.readings.values() if not each.ago}
        if read is None:
            shown[cell.output] = None
        shown |= dict.fromkeys(read.shown if read else ())
        states = {state.name for state in cell.states}
        shown = tuple(name for name in shown if name not in states)
        found = (*wired, *own)
        used = {
            name for each in found for _, node in walk(each.value) if isinstance(node, Ref) for name in (node.name,)
        }
        shapes = [each.shape for each in (*inputs, *outer.params) if each.shape is not None and each.name in used]
        atoms = {atom for shape in shapes for axis in shape for atom in axis}
        dims += [dim for dim in outer.dims if dim.name in atoms and dim.name not in {each.name for each in dims}]
        for each in (*outer.inputs, *outer.params):
            if renamed.get(each.name, each.name) not in used:
                what = "input" if isinstance(each, Input) else "parameter"
                self.report.add(
                    "CG212",
                    f"the {what} `{each.name}` is never used",
                    each.span,
                    help="read it in the wiring, or take it out",
                )
        axes = [
            *(each.shape for each in (*outer.inputs, *outer.params)),
            tuple((dim.name,) for dim in read.dims) if read else (),
        ]
        sizes = {atom for shape in axes for axis in shape for atom in axis}
        for dim in outer.dims:
            if not {dim.name, *(each.name for each in outer.dims if dim.name in (each.value, each.divisor))} & sizes:
                help = "write it in a shape, or take it out"
                self.report.add("CG212", f"the dim `{dim.name}` is never used", dim.span, help=help)
        self.report.stop()
        asked = [option for option in (*outer.options, *cell.options) if option.name not in self.settled]
        return replace(
            cell,
            source=self.source,
            dims=tuple(dims),
            options=tuple(asked),
            inputs=(*inputs, *self.ports.values()),
            params=(*(starting(each, self.settled) for each in cell.params), *self.params),
            equations=found,
            output=cell.output if cell.output in states or cell.output in shown else cell.states[0].name,
            wired=tuple(kept[each.name] for each in wired if each.name in kept),
            shown=shown,
            read=tuple(self.read(read)),
        )

    def of_one_size(self, layer: Cell) -> Cell:
        """The layer, in which a neighbour's input is as wide as its own where the first layer's has a size of all."""
        shared = {dim.name for dim in self.cell.dims if dim.kind == "required"} - {*self.sizes}
        beside = {atom: port for port in layer.inputs if port.inner for axis in port.shape for atom in axis}
        first = wired_dims(layer)[0]
        names = {
            neighbour_dim(neighbour, dim): (dim, target)
            for dim, target in first.items()
            for neighbour in NEIGHBOURS
            if target in shared and neighbour_dim(neighbour, dim) in beside
        }
        wide = {neighbour_dim("below", dim) for dim in first} & beside.keys() - names.keys()
        for name in sorted(wide):
            message = f"`{beside[name].span.text}` is as wide as what that layer reads, which has no one size"
            help = "read what has a size by name, or make what all layers read of one size"
            self.report.add("CG601", message, beside[name].span, help=help)
        if not names:
            return layer
        kept = tuple(dim for dim in layer.dims if dim.name not in names)
        layer = with_dims(replace(layer, dims=kept), {name: target for name, (_, target) in names.items()})
        for same in wired_dims(layer):
            for name, (dim, target) in names.items():
                if same.get(dim, target) != target:
                    span, other = beside[name].span, same[dim]
                    message = f"`{span.text}` is `[{target}]` of the first layer and `[{other}]` of the others"
                    self.report.add("CG306", message, span, help="give what it reads one size in all layers")
        return layer

    def read(self, read) -> Iterator[tuple[str, Test | None]]:
        """What is read of a layer, and in which roles it has the neighbour that does."""
        for name in read.shown if read else ():
            yield name, None
        if read is None:
            yield self.cell.output, Not(Given("above"))
        for each in self.readings.values():
            yield each.name, Given("above" if each.neighbour == "below" else "below")

    def stays(self, law, gone: set[str]) -> bool:
        """Whether a law is about values that are there, not about options that are wired or another spec."""
        claim = law.claim
        nodes = [getattr(claim, side) for side in ("a", "b", "value", "of") if hasattr(claim, side)]
        names = {node.name for each in nodes for _, node in walk(each) if isinstance(node, Ref)}
        names |= {node.name for fact in law.facts for _, node in walk(fact.name) if isinstance(node, Ref)}
        return bool(nodes) and not names & gone


def neighbour_dim(layer: str, dim: str) -> str:
    """What a dim of another layer is called in this one."""
    return f"{layer}_{dim.removeprefix('own_')}"
