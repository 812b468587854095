"""Whether a cell is an LSTM or a GRU of Keras's in the form that cuDNN takes, whatever its names and layouts are.

Input: a typed cell. Output: `Fused`, or why it is `Unlike`. It is found by the normal forms of the new states, and so
holds of the real numbers for all weights, inputs and states: what is no sum of the products by whole weights, of biases
and numbers, under tanh and sigmoid where cuDNN has them, is none.
"""

from dataclasses import dataclass, replace
from fractions import Fraction

from cellgen.analyse import condition
from cellgen.ir import Fused, Gate, Piece, Program, Ref, TypedCell, TypedVariant, Unlike, intervals
from cellgen.prove.meaning import Meaning, Under, defaults
from cellgen.prove.symbols import Expr, Table

NAMED = {"i": "input gate", "f": "forget gate", "o": "output gate", "c": "candidate"}
NAMED |= {"z": "update gate", "r": "reset gate", "h": "candidate"}


class Otherwise(Exception):
    """Why it is none; without words, where nothing is to be said."""

    def __init__(self, why: str = ""):
        super().__init__(why)
        self.why = why


def recognise(typed: TypedCell) -> Fused | Unlike:
    """In the variants in which it is the one that it is by default, or in the first that is one. Raises nothing."""
    if not _may_be(typed):
        return Unlike()
    table, found = Table(), {}
    for variant in typed.variants:
        try:
            found[id(variant)] = _Reading(typed, variant, table).run()
        except Otherwise as otherwise:
            found[id(variant)] = Unlike(otherwise.why)
    default = found[id(typed.default)]
    ones = [each for each in found.values() if isinstance(each, Fused)]
    if not ones:
        return default
    first = default if isinstance(default, Fused) else ones[0]
    whole = _together(first, ones)
    there = [(v.variant, _within(found[id(v)], whole, v)) for v in typed.variants]
    return replace(whole, test=condition(there))


def _may_be(typed: TypedCell) -> bool:
    """Whether inputs, states and masks are those of one."""
    cell = typed.cell
    vectors = all(len(each.shape) == 1 and not each.binary for each in (*cell.inputs, *cell.states))
    states = [state.name for state in cell.states]
    plain = len(cell.inputs) == 1 and cell.shown is None and not cell.noises and cell.mask.kind != "reset"
    return plain and vectors and len(states) <= 2 and cell.output in states


def _together(first: Fused, others: list[Fused]) -> Fused:
    """With all biases that some variant has."""
    gates = []
    for at, gate in enumerate(first.gates):
        alike = [other.gates[at] for other in others if other.kind == first.kind]
        biases, inner = (tuple(dict.fromkeys(p for g in alike for p in getattr(g, of))) for of in ("biases", "inner"))
        gates.append(replace(gate, biases=biases, inner=inner))
    return replace(first, gates=tuple(gates))


def _within(one: Fused | Unlike, whole: Fused, variant: TypedVariant) -> bool:
    """Whether it is the whole without the biases that the variant does not have."""
    weights = {weight.name for weight in variant.weights}

    def there(gate: Gate) -> Gate:
        biases, inner = (tuple(p for p in some if p.weight in weights) for some in (gate.biases, gate.inner))
        return replace(gate, biases=biases, inner=inner)

    return isinstance(one, Fused) and one == replace(whole, gates=tuple(map(there, whole.gates)))


@dataclass(frozen=True)
class _Sum:
    """What stands under a gate's activation."""

    kernel: Piece | None
    recurrent: Piece | None
    biases: tuple[Piece, ...]
    added: Fraction
    options: tuple[tuple[str, bool], ...]


class _Reading:
    """One variant: the normal forms of its states, taken apart."""

    def __init__(self, typed: TypedCell, variant: TypedVariant, table: Table):
        self.cell, self.variant, self.table = typed.cell, variant, table
        self.program = Program(typed, variant)
        self.choices = defaults(self.cell)
        self.meaning = Meaning(self.program, table, Under(activations=self.choices))
        self.atoms, self.expand = table.atoms, table.sympy.expand

    def run(self) -> Fused:
        cell, dims = self.cell, self.meaning.dims
        h, others = cell.output, [state.name for state in cell.states if state.name != cell.output]
        sizes = {dims.flat(state.shape) for state in cell.states}
        if len(sizes) != 1 or len(next(iter(sizes))) != 1:
            raise Otherwise
        self.units, self.width = next(iter(sizes)), dims.flat(cell.inputs[0].shape)
        self.x, self.h = self.one(Ref(cell.inputs[0].name)), self.one(Ref(h, 1))
        gates = self.lstm(h, *others) if others else self.gru(h)
        live = [option.name for option in cell.options if option.kind == "activation"]
        choices = tuple((name, self.choices[name]) for name in live)
        return Fused("lstm" if others else "gru", (h, *others), gates, choices)

    def one(self, ref: Ref) -> Expr:
        """The one lane of a value. Raises `Otherwise` where it has more."""
        lanes = [*self.meaning.name(ref).lanes.values()]
        if len(lanes) != 1:
            raise Otherwise
        return lanes[0]

    # --- the two forms

    def lstm(self, h: str, c: str) -> tuple[Gate, ...]:
        """c = f * c[t-1] + i * tanh(..), h = o * tanh(c)."""
        new, old = self.one(Ref(c)), self.one(Ref(c, 1))
        f = new.coeff(old)
        i, g, turned = self.times_tanh(new - self.expand(f * old))
        whole = self.one(Ref(h))
        squashed = [s for s in self.of(whole, "tanh") if self.atoms[s].operands[0] in (new, self.expand(-new))]
        if len(squashed) != 1:
            raise Otherwise
        o = whole.coeff(squashed[0])
        if self.expand(o * squashed[0]) != whole:
            raise Otherwise
        o = -o if self.atoms[squashed[0]].operands[0] != new else o
        parts = {"i": self.gate(i), "f": self.gate(f), "c": (g, turned), "o": self.gate(self.expand(o))}
        if any(each is None for each in parts.values()):
            raise Otherwise
        return tuple(self.as_gate(role, *parts[role]) for role in "ifco")

    def gru(self, h: str) -> tuple[Gate, ...]:
        """h = z * h[t-1] + (1 - z) * tanh(.. + r * (h[t-1] @ ..))."""
        whole = self.one(Ref(h))
        z = whole.coeff(self.h)
        rest = whole - self.expand(z * self.h)
        candidates = [s for s in self.of(rest, "tanh") if self.expand(rest - (1 - z) * s) == 0]
        turned = [s for s in self.of(rest, "tanh") if self.expand(rest + (1 - z) * s) == 0]
        update = self.gate(z)
        if update is None or len(candidates) + len(turned) != 1:
            raise Otherwise
        (n,) = candidates + turned
        inside = self.atoms[n].operands[0]
        resets = [s for s in self.of(inside, "sigmoid") if inside.coeff(s) != 0]
        if not resets:
            below = self.table.below(inside.free_symbols) - {update[0]}
            deep = any(self.atoms[s].op == "sigmoid" for s in below)
            words = "the reset gate stands before the product with the recurrent weights, and cuDNN's after it"
            raise Otherwise(words if deep else "")
        if len(resets) > 1:
            raise Otherwise
        (r,) = resets
        inner, outer = inside.coeff(r), self.expand(inside - inside.coeff(r) * r)
        sign = 1
        if self.sum(outer, "h").recurrent is not None:  # r is 1 minus this one
            inner, outer, sign = self.expand(-inner), self.expand(outer + inner), -1
        product, read = self.sum(inner, "h"), self.sum(outer, "h")
        if product.kernel or not product.recurrent or product.added or product.options or read.recurrent:
            raise Otherwise("the reset gate does not multiply the product with the recurrent weights alone")
        if read.kernel is None:
            raise Otherwise("the candidate does not read the input")
        flip = bool(turned)
        candidate = Gate(
            "h",
            self.called(-n if flip else n, read.kernel),
            _turned(read.kernel, flip),
            _turned(product.recurrent, flip),
            tuple(_turned(each, flip) for each in read.biases),
            tuple(_turned(each, flip) for each in product.biases),
            -read.added if flip else read.added,
            tuple((name, negative != flip) for name, negative in read.options),
        )
        gates = self.as_gate("z", *update), self.as_gate("r", r, sign == -1), candidate
        inner = {(each.weight, each.labels[:-1]) for each in candidate.inner}
        return (*(_split(gate, inner) for gate in gates[:2]), candidate)

    # --- pieces

    def of(self, expr: Expr, op: str) -> list[Expr]:
        """The symbols of an operation in an expression."""
        return sorted((s for s in expr.free_symbols if self.atoms[s].op == op), key=lambda symbol: symbol.name)

    def gate(self, expr: Expr) -> tuple[Expr, bool] | None:
        """Of a sigmoid, or 1 minus one, the sigmoid, and whether it is 1 minus it."""
        for form, turned in ((expr, False), (1 - expr, True)):
            if form.is_Symbol and self.atoms[form].op == "sigmoid":
                return form, turned
        return None

    def times_tanh(self, expr: Expr) -> tuple[Expr, Expr, bool]:
        """Of a product of a gate and a tanh: the gate, the tanh, and whether its sign is turned."""
        for symbol in self.of(expr, "tanh"):
            factor = expr.coeff(symbol)
            if self.expand(factor * symbol) == expr:
                for gate, turned in ((factor, False), (self.expand(-factor), True)):
                    if self.gate(gate) is not None:
                        return gate, symbol, turned
        raise Otherwise

    def as_gate(self, role: str, symbol: Expr, turned: bool) -> Gate:
        """A gate that reads input and state by whole weights. Raises `Otherwise`."""
        found = self.sum(self.atoms[symbol].operands[0], role)
        if found.kernel is None or found.recurrent is None:
            what = "the input" if found.kernel is None else "the state"
            raise Otherwise(f"the {NAMED[role]} does not read {what}")
        return Gate(
            role,
            self.called(1 - symbol if turned and role != "c" else symbol, found.kernel),
            _turned(found.kernel, turned),
            _turned(found.recurrent, turned),
            tuple(_turned(each, turned) for each in found.biases),
            added=-found.added if turned else found.added,
            options=tuple((name, negative != turned) for name, negative in found.options),
        )

    def called(self, gate: Expr, kernel: Piece) -> str:
        """What a gate is called here: an equation that gives it, or 1 minus it; else its label, or its weight."""
        given = {name: [*self.meaning.name(Ref(name)).lanes.values()] for name in self.program.equations}
        for form, said in ((gate, "{}"), (1 - gate, "1 - {}")):
            for name, lanes in given.items():
                if lanes == [form]:
                    return said.format(name)
        return kernel.labels[-1] if kernel.labels else kernel.weight

    def sum(self, expr: Expr, role: str) -> _Sum:
        """A sum of at most one product with the input, one with the state, biases, options and a number."""
        kernel = recurrent = None
        biases, options, added = [], [], Fraction(0)
        terms = [term.as_coeff_Mul() for term in self.table.sympy.Add.make_args(self.expand(expr))]
        more = [symbol for factor, symbol in terms if symbol != 1 and not (symbol.is_Symbol and abs(factor) == 1)]
        if more:
            leaves = [self.atoms[leaf].place for each in more for leaf in self.of(each, "leaf")]
            carried = sorted(name for name, ago, _ in leaves if ago)
            what = f"reads `{carried[0]}[t-1]`" if carried else "is more than a sum of two products and a bias"
            raise Otherwise(f"the {NAMED[role]} {what}")
        for factor, symbol in terms:
            if symbol == 1:
                added += intervals.exact(factor)
                continue
            atom, negative = self.atoms[symbol], bool(factor < 0)
            if atom.op == "matmul":
                piece, of_x = self.product(atom, negative, role)
                if (kernel if of_x else recurrent) is not None:
                    raise Otherwise(f"the {NAMED[role]} has two products of one")
                kernel, recurrent = (piece, recurrent) if of_x else (kernel, piece)
            elif atom.op == "leaf" and any(option.name == atom.place[0] for option in self.cell.options):
                options.append((atom.place[0], negative))
            else:
                biases.append(self.piece(symbol, self.units, negative, role))
        order = [weight.name for weight in self.variant.weights]
        biases.sort(key=lambda each: (order.index(each.weight), each.labels))
        return _Sum(kernel, recurrent, tuple(biases), added, tuple(sorted(options)))

    def product(self, atom, negative: bool, role: str) -> tuple[Piece, bool]:
        """The weight of a product with the input or the state, and whether it is that with the input."""
        left, right = ([expr for _, expr in lanes] for lanes in atom.operands)
        if len(left) == len(right) == 1:
            for read, weight, transposed in ((left[0], right[0], False), (right[0], left[0], True)):
                if read in (self.x, self.h):
                    rows = self.width if read == self.x else self.units
                    shape = self.units + rows if transposed else rows + self.units
                    return replace(self.piece(weight, shape, negative, role), transposed=transposed), read == self.x
        raise Otherwise(f"the {NAMED[role]} has a product of something else than the input and the state")

    def piece(self, symbol: Expr, shape: tuple, negative: bool, role: str) -> Piece:
        """A whole weight, or a part of one by its labels, of this shape."""
        atom = self.atoms[symbol] if symbol.is_Symbol else None
        params = {param.name for param in self.cell.params}
        if atom is None or atom.op != "leaf" or atom.place[1] or atom.place[0] not in params:
            leaf = atom is not None and atom.op == "leaf"
            read = f"`{atom.place[0]}{'[t-1]' * atom.place[1]}`" if leaf else "more than weights, input and state"
            raise Otherwise(f"the {NAMED[role]} reads {read}")
        name, _, labels = atom.place
        whole = self.meaning.name(Ref(name))
        rest = tuple(each for each in whole.shape if each not in self.meaning.labels)
        widths = any(self.cell.axis(axis).widths for axis in whole.axes)
        if rest != shape or widths:
            raise Otherwise(f"`{name}` is no weight of theirs")
        return Piece(name, labels, negative)


def _turned(piece: Piece, turned: bool) -> Piece:
    return replace(piece, negative=piece.negative != turned)


def _split(gate: Gate, inner: set) -> Gate:
    """With the biases that stand where those inside the reset do among the inner ones: there they come to the same."""
    mine = tuple(each for each in gate.biases if (each.weight, each.labels[:-1]) in inner)
    return replace(gate, biases=tuple(each for each in gate.biases if each not in mine), inner=mine)
