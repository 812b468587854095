"""Nodes back to the text of the language, with no parentheses more than it needs."""

from cellgen.ir import (
    Activate,
    Apply,
    Both,
    Choose,
    Either,
    Given,
    Is,
    Node,
    Not,
    Number,
    Pick,
    Ref,
    Test,
    View,
    axis_text,
    number_text,
    shape_text,
)

INFIX = {  # symbol, how tightly it binds
    "less": ("<", 1),
    "less_equal": ("<=", 1),
    "greater": (">", 1),
    "greater_equal": (">=", 1),
    "add": ("+", 2),
    "sub": ("-", 2),
    "mul": ("*", 3),
    "div": ("/", 3),
    "matmul": ("@", 3),
    "pow": ("**", 5),
}
CHOICE, UNARY, ATOM = 0, 4, 6


def notation(node: Node) -> str:
    """The expression as an equation would say it. A view is not shown; a norm that no author called is `normalize`."""
    return _write(node)[0]


def _write(node: Node) -> tuple[str, int]:
    match node:
        case Number(value):
            return number_text(value), (ATOM if value >= 0 else UNARY)
        case Ref(name, ago):
            return (f"{name}[t-1]" if ago else name), ATOM
        case Pick(value, label):
            part = f"[{label}]" if label.isdecimal() else f".{label}"
            return f"{_at_least(value, ATOM)}{part}", ATOM
        case View(value):
            return _write(value)
        case Activate(option, value):
            return f"{option}({notation(value)})", ATOM
        case Choose(test, a, b):
            return f"{_at_least(a, CHOICE + 1)} if {condition_text(test)} else {_at_least(b, CHOICE)}", CHOICE
        case Apply("neg", (value,)):
            return f"-{_at_least(value, UNARY)}", UNARY
        case Apply("add" | "mul", (value, Ref(weight))) if "/" in weight:
            while value.op != "normalize":
                value = value.args[0]
            return f"{weight.split('/')[0]}({notation(value.args[0])})", ATOM
        case Apply("normalize", (value, _), span=span) if span is not None:
            return f"{span.text.split('(')[0].strip()}({notation(value)})", ATOM
        case Apply(op, (a, b)) if op in INFIX:
            symbol, binding = INFIX[op]
            return _infix(op, a, symbol, b, binding), binding
        case Apply("range", (), attrs):
            return f"range({_attribute(attrs[0][1])})", ATOM
        case Apply(op, args, attrs):
            given = [f"{key}={_attribute(value)}" for key, value in attrs]
            return f"{op}({', '.join([*map(notation, args), *given])})", ATOM


def _infix(op: str, a: Node, symbol: str, b: Node, binding: int) -> str:
    left, right = (binding + 1, UNARY) if op == "pow" else (binding, binding + 1)
    return f"{_operand(a, left, op)} {symbol} {_operand(b, right, op)}"


def _operand(node: Node, binding: int, beside: str) -> str:
    """`*` and `/` beside `@` stand in parentheses."""
    inner = node.value if isinstance(node, View) else node
    product = isinstance(inner, Apply) and inner.op in ("mul", "div", "matmul")
    if product and (inner.op == "matmul") != (beside == "matmul"):
        binding = max(binding, UNARY) if beside in ("mul", "div", "matmul") else binding
    return _at_least(node, binding)


def _at_least(node: Node, binding: int) -> str:
    text, own = _write(node)
    return text if own >= binding else f"({text})"


def _attribute(value) -> str:
    match value:
        case Number(number):
            return number_text(number)
        case tuple():
            return axis_text(value) if all(isinstance(atom, (str, int)) for atom in value) else shape_text(value)
        case _:
            return str(value)


def condition_text(test: Test) -> str:
    """A test as the language writes it: `use_bias and combine == blend`."""
    match test:
        case Given(name):
            return name
        case Is(name, word):
            return f"{name} == {word}"
        case Not(inner):
            return f"not {_inner(inner, (Both, Either))}"
        case Both(a, b):
            return f"{_inner(a, (Either,))} and {_inner(b, (Either,))}"
        case Either(a, b):
            return f"{condition_text(a)} or {condition_text(b)}"


def _inner(test: Test, weaker: tuple) -> str:
    return f"({condition_text(test)})" if isinstance(test, weaker) else condition_text(test)
