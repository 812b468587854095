"""Small lies about the compiler: each changes one place of one of its modules, as a careless edit would."""

import ast
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Mutant:
    """A module with one place changed. `name` says the kind, where it is, and which of several there."""

    name: str
    source: str
    kind: str
    index: int  # of the node, as `ast.walk` comes to them
    number: int  # of the change that the node can suffer

    @cached_property
    def text(self) -> str:
        tree = ast.parse(self.source)
        node = list(ast.walk(tree))[self.index]
        KINDS[self.kind](node)[self.number](node)
        return ast.unparse(tree)

    @cached_property
    def original(self) -> str:
        """The module as it is, written as `text` is."""
        return ast.unparse(ast.parse(self.source))

    @property
    def says_the_same(self) -> bool:
        return self.text == self.original

    @cached_property
    def lines(self) -> range | None:
        """Those of the node; None of what runs when the module is imported."""
        tree = ast.parse(self.source)
        node = list(ast.walk(tree))[self.index]
        around = [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.Lambda)]
        bodies = [body for each in around for body in (each.body if isinstance(each.body, list) else [each.body])]
        if isinstance(node, ast.FunctionDef):
            return _lines(*node.body)
        return _lines(node) if any(inner is node for body in bodies for inner in ast.walk(body)) else None


def _lines(*nodes: ast.AST) -> range:
    found = [each for node in nodes for each in ast.walk(node) if hasattr(each, "lineno")]
    return range(min(each.lineno for each in found), max(each.end_lineno for each in found) + 1)


def mutants(text: str) -> list[Mutant]:
    """Every mutant of a module, in the order of its lines. Messages are left alone: tests hold those word by word."""
    tree = ast.parse(text)
    spoken, where, found = _spoken(tree), _definitions(tree), []
    for index, node in enumerate(ast.walk(tree)):
        for kind, changes in KINDS.items():
            if id(node) not in spoken:
                line = getattr(node, "lineno", 0)
                place = f"{kind} {where.get(id(node), 'module')}:{line}"
                found += [(line, place, kind, index, number) for number in range(len(changes(node)))]
    found.sort(key=lambda each: each[0])
    return [
        Mutant(f"{place} ({number}) #{at}", text, kind, index, number)
        for at, (_, place, kind, index, number) in enumerate(found)
    ]


# of these the arguments can be swapped: nothing but the rounding of a sum can tell
SYMMETRIC = (
    *("equal", "shared", "disjoint", "hull", "meet", "met", "_plus", "_times", "multiply"),
    *("add", "mul", "minimum", "maximum", "logaddexp", "_apart", "min", "max"),
)


def _definitions(tree: ast.AST) -> dict[int, str]:
    """The innermost function or class around each node."""
    found: dict[int, str] = {}

    def go(node: ast.AST, name: str) -> None:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            name = node.name if name == "module" else f"{name}.{node.name}"
        found[id(node)] = name
        for child in ast.iter_child_nodes(node):
            go(child, name)

    go(tree, "module")
    return found


def _spoken(tree: ast.AST) -> set[int]:
    """What is only said or only typed: docstrings, annotations, what an exception or a diagnostic says, assertions.

    And the size of a bound, and where the order of parts means nothing.
    """
    found: set[int] = set()
    asked = _only_asked(tree)
    for node in ast.walk(tree):
        quiet: list[ast.AST] = []
        match node:
            case ast.Raise() | ast.Assert() | ast.JoinedStr():
                quiet = [node]
            case ast.AnnAssign():
                quiet = [node.annotation]
            case ast.FunctionDef():
                quiet = [*(arg.annotation for arg in ast.walk(node.args) if isinstance(arg, ast.arg)), node.returns]
            case ast.Call(func=ast.Attribute(attr="refuse" | "add" | "error" | "warn"), args=[ast.Constant(), *_]):
                quiet = [node]
            case ast.Assign(targets=[ast.Name(name)], value=value) if name.startswith("MAX_"):
                quiet = [value]  # what is tried at a bound reads it
            case ast.Expr(value=ast.Constant()):
                quiet = [node]
            case ast.Call(func=ast.Name("dataclass")):  # what nobody is kept from
                quiet = [node]
            case ast.Call(func=ast.Name("isinstance")):  # in whatever order
                found |= {id(each) for each in (node, node.args[1])}
            case ast.Compare(ops=[ast.In() | ast.NotIn()]):
                found |= {id(each) for each in node.comparators}
            case ast.Call(func=ast.Name(name) | ast.Attribute(attr=name)) if name in SYMMETRIC:
                found.add(id(node))
            case ast.Call(func=ast.Name("map"), args=[ast.Attribute(attr=name), *_]) if name in SYMMETRIC:
                found.add(id(node))
            case ast.Call(func=ast.Name("least" | "greatest"), args=[ast.Tuple() as ends]):
                found.add(id(ends))
            case ast.Call(func=ast.Attribute(attr="fromkeys"), args=[ast.Tuple() as keys, _]):
                found.add(id(keys))
            case ast.Assign(targets=[ast.Name(name)], value=ast.Tuple() as words) if asked.get(name, False):
                found |= {id(each) for each in ast.walk(words) if isinstance(each, ast.Tuple)}
            case ast.keyword(arg="strict"):
                quiet = [node]
            case ast.SetComp(elt=key) | ast.DictComp(key=key):
                found |= {id(each) for each in (key, *(each.iter for each in node.generators))}
            case ast.Subscript(value=ast.Name("tuple" | "list" | "dict"), slice=ast.Tuple() as types):
                found.add(id(types))
        found |= {id(each) for part in quiet if part is not None for each in ast.walk(part)}
    return found


def _only_asked(tree: ast.AST) -> dict[str, bool]:
    """Of each name that is read, whether nothing else is asked of it than what is in it."""
    asked = {
        id(side)
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        for side in node.comparators
        if isinstance(node.ops[0], ast.In | ast.NotIn)
    }
    found: dict[str, bool] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found[node.id] = found.get(node.id, True) and id(node) in asked
    return found


# --- kinds: of a node, the changes that it can suffer ------------------------------------------------------------

Changes = list[Callable[[ast.AST], None]]

_OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_COMPARISONS = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_NEIGHBOURS = {"any": "all", "all": "any", "min": "max", "max": "min", "mul": "div", "add": "sub", "sub": "add"}


def operator(node: ast.AST) -> Changes:
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _OPERATORS:
        return [lambda each: setattr(each, "op", _OPERATORS[type(each.op)]())]
    return []


def comparison(node: ast.AST) -> Changes:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARISONS:
        return [lambda each, to=to: each.ops.__setitem__(0, to()) for to in _COMPARISONS[type(node.ops[0])]]
    return []


def condition(node: ast.AST) -> Changes:
    """A test that is not a comparison, or one of several, taken for its opposite."""
    if isinstance(node, ast.If | ast.IfExp | ast.While) and not isinstance(node.test, ast.Compare):
        return [_negated]
    if isinstance(node, ast.comprehension) and node.ifs and not isinstance(node.ifs[0], ast.Compare):
        return [lambda each: each.ifs.__setitem__(0, ast.UnaryOp(ast.Not(), each.ifs[0]))]
    return []


def _negated(node: ast.AST) -> None:
    node.test = ast.UnaryOp(ast.Not(), node.test)


def connective(node: ast.AST) -> Changes:
    """`and` for `or`, and each part left out."""
    if not isinstance(node, ast.BoolOp):
        return []
    parts = len(node.values)
    return [_swapped_connective, *(lambda each, index=index: _without(each, index) for index in range(parts))]


def _swapped_connective(node: ast.AST) -> None:
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()


def _without(node: ast.AST, index: int) -> None:
    rest = [value for at, value in enumerate(node.values) if at != index]
    node.values = rest if len(rest) > 1 else [rest[0], deepcopy(rest[0])]


def constant(node: ast.AST) -> Changes:
    match node:
        case ast.Constant(value=bool()):
            return [lambda each: setattr(each, "value", not each.value)]
        case ast.Constant(value=int() | float()):
            return [lambda each: setattr(each, "value", each.value + 1)]
    return []


def argument(node: ast.AST) -> Changes:
    """Two neighbouring arguments the wrong way round."""
    if not isinstance(node, ast.Call) or any(isinstance(arg, ast.Starred) for arg in node.args):
        return []
    return [lambda each, at=at: _swap(each.args, at) for at in range(len(node.args) - 1)]


def element(node: ast.AST) -> Changes:
    """Two neighbours of a tuple the wrong way round, such as what a rule sends to each argument."""
    if isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load) and len(node.elts) > 1:
        if not any(isinstance(each, ast.Starred) for each in node.elts):
            return [lambda each, at=at: _swap(each.elts, at) for at in range(len(node.elts) - 1)]
    return []


def arms(node: ast.AST) -> Changes:
    if isinstance(node, ast.IfExp) and isinstance(node.test, ast.Compare):
        return [_negated]
    return []


def function(node: ast.AST) -> Changes:
    """Another function of the same kind."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _NEIGHBOURS:
        return [lambda each: setattr(each.func, "id", _NEIGHBOURS[each.func.id])]
    return []


def minus(node: ast.AST) -> Changes:
    """A sign lost: `neg(x)` or `-x`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("neg", "negate"):
        return [_without_call]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return [lambda each: setattr(each, "op", ast.UAdd())]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return [lambda each: setattr(each, "operand", ast.UnaryOp(ast.Not(), each.operand))]
    return []


def _without_call(node: ast.AST) -> None:
    """`neg(x)` becomes `(x,)[0]`: the argument itself."""
    inner = node.args[0]
    node.func, node.args = ast.Attribute(ast.Tuple([inner], ast.Load()), "__getitem__", ast.Load()), [ast.Constant(0)]


def word(node: ast.AST) -> Changes:
    """A rule of a table moved to its neighbour: what the two keys mean is exchanged."""
    if isinstance(node, ast.Dict) and len(node.values) > 1:
        pairs = [at for at in range(len(node.keys) - 1) if node.keys[at] is not None and node.keys[at + 1] is not None]
        return [lambda each, at=at: _swap(each.values, at) for at in pairs]
    return []


def statement(node: ast.AST) -> Changes:
    """A statement that has an effect, and no value that others need, left out."""
    bodies = [name for name in ("body", "orelse") if isinstance(getattr(node, name, None), list)]
    found: Changes = []
    for name in bodies if isinstance(node, ast.FunctionDef | ast.If | ast.For | ast.While | ast.With) else ():
        for at, inner in enumerate(getattr(node, name)):
            acts = isinstance(inner, ast.AugAssign | ast.Continue | ast.Break | ast.Delete)
            acts |= isinstance(inner, ast.Expr) and isinstance(inner.value, ast.Call)
            acts |= isinstance(inner, ast.If) and not inner.orelse
            if acts and not (isinstance(inner, ast.Expr) and "report" in ast.unparse(inner)):
                found.append(lambda each, name=name, at=at: getattr(each, name).__setitem__(at, ast.Pass()))
    return found


def _swap(values: list, at: int) -> None:
    values[at], values[at + 1] = values[at + 1], values[at]


KINDS: dict[str, Callable[[ast.AST], Changes]] = {
    "operator": operator,
    "comparison": comparison,
    "condition": condition,
    "connective": connective,
    "constant": constant,
    "argument": argument,
    "element": element,
    "arms": arms,
    "function": function,
    "minus": minus,
    "word": word,
    "statement": statement,
}
