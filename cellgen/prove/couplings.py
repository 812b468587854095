"""Operations over lanes as closed forms: sums, means, matmuls and convolutions term by term, softmax as a quotient.

What does not vary along an axis is taken out of a sum over it; what a layer norm takes out of its value is left out. A
sum of products with a matrix, `sum((a @ M) * b)`, is one symbol, however it is written.
"""

from dataclasses import dataclass, field
from fractions import Fraction

from cellgen.prove.meaning import Meaning
from cellgen.prove.quotients import Monomial, Quotient, Ring, key
from cellgen.prove.symbols import Atom, Expr

Along = tuple  # the dims that are summed over
MAX_PAIRS = 64


@dataclass
class Names:
    """The symbols of closed forms, by what they are made of, and what holds of them in every case."""

    meaning: Meaning
    ring: Ring
    made: dict[tuple, Expr] = field(default_factory=dict)
    dims: dict[Expr, frozenset] = field(default_factory=dict)  # along which a symbol varies
    products: dict[Expr, tuple] = field(default_factory=dict)  # of one for `@`, its place and operands
    norms: dict[Expr, tuple] = field(default_factory=dict)  # of one for a layer norm, along what, and the value's dims
    arguments: dict[Expr, Quotient] = field(default_factory=dict)  # of an exponential, of what
    roots: set[Expr] = field(default_factory=set)

    @classmethod
    def of(cls, meaning: Meaning) -> "Names":
        return cls(meaning, Ring(meaning.table))

    def name(self, *what, dims: frozenset, positive: bool = False) -> Expr:
        """The symbol of what it is made of."""
        if what not in self.made:
            symbol = self.made[what] = self.ring.table.sympy.Symbol(f"t{len(self.made):04d}")
            self.dims[symbol] = dims
            if positive:
                self.ring.positive.add(symbol)
        return self.made[what]

    def size(self, dim: str) -> Expr:
        """The symbol of how many places a dim has."""
        return self.name("size", dim, dims=frozenset(), positive=True)


def coupled(closed, atom: Atom) -> Quotient:
    """The closed form of an operation over lanes. Raises as `closed_forms.of` does."""
    *kind, own, along, kept = atom.place
    lanes = [{path: closed.lane(expr) for path, expr in operand} for operand in atom.operands]
    alone = all(list(each) == [()] for each in lanes)
    labelled = [dim for dim in along if dim in closed.names.meaning.labels]
    whole = not any(closed.names.meaning.program.cell.axis(dim).widths for dim in labelled)
    once = whole and along and all(kept[0].count(dim) == 1 for dim in along)
    if atom.op in ("sum", "mean") and not own and once:
        total = _total(closed, lanes[0], along, kept[0])
        return closed.ring.product(total, closed.ring.inverse(_size(closed, along))) if atom.op == "mean" else total
    if atom.op == "softmax" and once:
        powers = {path: closed.exp(each) for path, each in lanes[0].items()}
        return closed.ring.product(powers[own], closed.ring.inverse(_total(closed, powers, along, kept[0])))
    if atom.op in ("matmul", "outer", "conv") and alone:
        left, right = (_terms(closed, each[()]) for each in lanes)
        if len(left) * len(right) <= MAX_PAIRS:
            whole = [len(terms) == 1 and terms[0][1] == 1 for terms in (left, right)]
            return closed.ring.sum(_product(closed, atom, whole, p, q) for p in left for q in right)
    if atom.op == "cumsum" and once and alone:
        parts = (
            (_running(closed, term, bottom, along, kept[0]), n) for term, n, bottom in _terms(closed, lanes[0][()])
        )
        return closed.ring.sum(closed.ring.scaled(part, number) for part, number in parts)
    sign = 1
    if atom.op == "normalize":
        lanes[0] = _centred(closed, lanes[0], along) if "layer" in kind else lanes[0]
        first = next((each for each in lanes[0].values() if each.top), None)
        if first is None:
            return closed.ring.number(0)
        sign = 1 if key(first.top)[0][1] > 0 else -1  # a norm is odd
        lanes[0] = {path: closed.ring.scaled(each, sign) for path, each in lanes[0].items()}
    known = tuple(tuple((path, closed.known(each)) for path, each in operand.items()) for operand in lanes)
    symbol = closed.name(atom.op, *atom.place, known, dims=_all(kept))
    if atom.op == "normalize" and "layer" in kind and alone:
        closed.names.norms[symbol] = along, kept[0]
    return closed.ring.scaled(closed.ring.power_of(symbol), sign)


def varies(names, symbol: Expr) -> frozenset:
    """The dims along which a symbol may have different lanes."""
    if symbol not in names.dims:
        atom, meaning = names.ring.table.atoms[symbol], names.meaning
        if atom.op == "leaf":
            name, ago, path = atom.place
            cell = meaning.program.cell
            shape = cell.state(name).shape if ago else meaning.program.variant.names[name].shape
            place = dict(zip(meaning.axes(shape), path))
            found = frozenset(meaning.without(meaning.dims.flat(shape), place))
        elif atom.coupled:
            found = _all(atom.place[-1])
            along, kept = atom.place[-2], atom.place[-1][0]
            if atom.op in ("sum", "mean"):
                found -= {dim for dim in along if kept.count(dim) == 1}
        else:
            below = (each for operand in atom.operands for each in operand.free_symbols)
            found = frozenset().union(*(varies(names, each) for each in below))
        names.dims[symbol] = found
    return names.dims[symbol]


def _all(kept: tuple) -> frozenset:
    return frozenset(dim for shape in kept for dim in shape)


def _total(closed, lanes: dict, along: Along, kept: tuple) -> Quotient:
    """The sum over all lanes."""
    labels = closed.names.meaning.labels
    inner = tuple(dim for dim in along if dim not in labels)
    kept = tuple(dim for dim in kept if dim not in along or dim not in labels)
    out = []
    for each in lanes.values():
        for term, number, bottom in _terms(closed, each):
            part = _sum(closed, term, bottom, inner, kept) if inner else Quotient({term: 1}, bottom)
            out.append(closed.ring.scaled(part, number))
    return closed.ring.sum(out)


def _terms(closed, a: Quotient) -> list[tuple[Monomial, Fraction, tuple]]:
    return [(term, number, part.bottom) for part in closed.ring.divided(a) for term, number in part.top.items()]


def _sum(closed, term: Monomial, bottom: tuple, along: Along, kept: tuple) -> Quotient:
    """Of one term; what does not vary along the dims stands before it."""
    ring = closed.ring
    out, rest, fixed, inner = _outside(closed, term, bottom, along)
    before = Quotient({out: 1}, fixed)
    if not rest and not inner:
        return ring.product(before, _size(closed, along))
    if not inner and (found := _known(closed, rest, along, kept)) is not None:
        return ring.product(before, found)
    positive = not inner and all(symbol in ring.positive for symbol, _ in rest)
    remain = frozenset(kept) - {dim for dim in along if kept.count(dim) == 1}
    symbol = closed.name("sum", along, kept, rest, inner, dims=remain, positive=positive)
    return ring.product(before, ring.power_of(symbol))


def _running(closed, term: Monomial, bottom: tuple, along: Along, kept: tuple) -> Quotient:
    """The sum of one term so far; what does not vary along the dims stands before it."""
    out, rest, fixed, inner = _outside(closed, term, bottom, along)
    symbol = closed.name("cumsum", along, kept, rest, inner, dims=_all((kept,)))
    return closed.ring.product(Quotient({out: 1}, fixed), closed.ring.power_of(symbol))


def _outside(closed, term: Monomial, bottom: tuple, along: Along) -> tuple[Monomial, Monomial, tuple, tuple]:
    """What does not vary along the dims and what does, of a term and of what it is divided by."""
    fixed, inner = [], []
    for each, power in bottom:
        moves = any(_moves(closed, symbol, along) for mono, _ in each for symbol, _ in mono)
        (inner if moves else fixed).append((each, power))
    return *_apart(closed, term, along), tuple(fixed), tuple(inner)


def _known(closed, term: Monomial, along: Along, kept: tuple) -> Quotient | None:
    """A sum that is zero, or that can be written in one way of several."""
    table, ring = closed.table, closed.ring
    if len(term) == 1 and term[0][1] == 1 and term[0][0] in closed.names.products:
        # the rows of a softmax sum to 1: what it distributes is what there was
        place, (a, below, _), (_, _, weights) = closed.names.products[term[0][0]]
        atom = table.atoms.get(weights)
        spread = atom and atom.op == "softmax" and atom.place[-2:] == (along, place[-1][1:])
        if spread and len(place[-1][1]) == 2 and len(place[-1][0]) == 1:
            return _sum(closed, a, below, place[-1][0], place[-1][0])
    if len(term) == 1 and term[0][1] == 1 and closed.names.norms.get(term[0][0]) == (along, kept):
        return ring.number(0)
    products = [symbol for symbol, power in term if symbol in closed.names.products and power == 1]
    if not products or len(along) != 1 or kept != along:
        return None
    product = max(products, key=lambda symbol: (_depth(closed, symbol), symbol.name))
    place, (a, *_), (b, *_) = closed.names.products[product]
    others = tuple(each for each in term if each[0] != product)
    fractions = any(below for _, below, _ in closed.names.products[product][1:])
    match tuple(map(len, place[-1])):
        case 1, 2 if not fractions:
            form = (a, b, others)
        case 2, 1 if not fractions:
            form = (others, a, b)
        case _:
            return None
    return ring.power_of(closed.name("form", *form, dims=frozenset()))


def _depth(closed, symbol: Expr) -> int:
    """How many products stand in each other."""
    if symbol not in closed.names.products:
        return 0
    _, *operands = closed.names.products[symbol]
    return 1 + max((_depth(closed, each) for term, *_ in operands for each, _ in term), default=0)


def _product(closed, atom: Atom, whole: list[bool], *terms: tuple) -> Quotient:
    """Of two terms, each of which may be its whole operand; what is one number for all lanes stands before it."""
    outside, operands = [], []
    named = atom.op == "matmul" and _by_name(closed, atom)
    for (term, number, bottom), ((_, expr),), is_whole in zip(terms, atom.operands, whole):
        if named:
            alone, inside = _apart(closed, term, atom.place[-2])
        else:
            alone = tuple(each for each in term if not varies(closed.names, each[0]))
            inside = tuple(each for each in term if varies(closed.names, each[0]))
        outside.append(Quotient({alone: number}))
        operands.append((inside, bottom, expr if is_whole and inside == term else None))
    if named and not any(bottom for _, bottom, _ in operands) and _vectors(closed, operands, atom.place[-2]):
        both = closed.ring.joined(operands[0][0], operands[1][0], 1)
        along = atom.place[-2]
        return closed.ring.product(closed.ring.product(*outside), _sum(closed, both, (), along, along))
    known = [each[:2] for each in operands]
    dims = _all(atom.place[-1]) - set(atom.place[-2] if named else ())
    symbol = closed.name(atom.op, *atom.place, *known, dims=dims)
    if atom.op == "matmul":
        closed.names.products[symbol] = atom.place, *operands
    return closed.ring.product(closed.ring.product(*outside), closed.ring.power_of(symbol))


def _by_name(closed, atom: Atom) -> bool:
    """Whether a product with `@` is a sum of products by name: no dim stands twice, but for those in front of both."""
    along, (left, right) = atom.place[-2], atom.place[-1]
    if len(along) != 1 or along[0] in closed.names.meaning.labels or isinstance(along[0], int):
        return False
    lead = 0
    while lead < len(right) - 1 and left[lead] == right[lead] != along[0]:
        lead += 1
    every = (*left, *right[lead + 1 :])
    return right[lead] == along[0] == left[-1] and len(set(every)) == len(every)


def _vectors(closed, operands: list, along: Along) -> bool:
    """Whether what is left of both operands varies along these dims alone."""
    return all(varies(closed.names, symbol) <= set(along) for term, *_ in operands for symbol, _ in term)


def _centred(closed, lanes: dict, along: Along) -> dict:
    """Without the terms that all lanes have and that do not vary along the dims."""
    labels = closed.names.meaning.labels
    inner = tuple(dim for dim in along if dim not in labels)
    every = [
        {
            key({term: number})
            for term, number in each.top.items()
            if not each.bottom and not _apart(closed, term, inner)[1]
        }
        for each in lanes.values()
    ]
    shared = set() if any(each.bottom for each in lanes.values()) else set.intersection(*every)
    return {
        path: Quotient({t: n for t, n in each.top.items() if key({t: n}) not in shared}, each.bottom)
        for path, each in lanes.items()
    }


def _apart(closed, term: Monomial, along: Along) -> tuple[Monomial, Monomial]:
    """What does not vary along the dims, and what does."""
    fixed = tuple(each for each in term if not _moves(closed, each[0], along))
    return fixed, tuple(each for each in term if _moves(closed, each[0], along))


def _moves(closed, symbol: Expr, along: Along) -> bool:
    return bool(varies(closed.names, symbol) & set(along))


def _size(closed, along: Along) -> Quotient:
    """How many lanes there are."""
    out = closed.ring.number(1)
    for dim in along:
        if isinstance(dim, int) or dim in closed.names.meaning.labels:
            out = closed.ring.scaled(out, dim if isinstance(dim, int) else len(closed.names.meaning.labels[dim]))
        else:
            out = closed.ring.product(out, closed.ring.power_of(closed.names.size(dim)))
    return out
