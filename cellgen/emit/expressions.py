"""Lowered expressions to Python text for TensorFlow: one expression a node, as few parentheses as Python needs.

`TENSORFLOW` gives each operation of `ops` its text and how tightly it binds; `LOWERED` those that only `lower` makes;
`FUNCTIONS` the few that a generated module defines for itself.
"""

from dataclasses import dataclass

from cellgen.ir import (
    Activate,
    Apply,
    Atom,
    Axis,
    Both,
    Cell,
    Choose,
    Either,
    Given,
    Is,
    Node,
    Not,
    Number,
    Ref,
    Test,
    one_word_of,
    renamed,
    undivided,
)

# how tightly Python's operators bind
CHOOSE, OR, AND, NOT, COMPARE, ADD, MULTIPLY, UNARY, POWER, ATOM = range(10)


@dataclass(frozen=True, slots=True)
class Form:
    """`{0}` stands for the first argument; `binds` is how tightly the whole binds, `args` how each argument must."""

    text: str
    binds: int = ATOM
    args: tuple[int, ...] = ()


def _call(name: str, count: int = 1) -> Form:
    return Form(f"{name}({', '.join(f'{{{index}}}' for index in range(count))})")


def _own(name: str, count: int = 1) -> Form:
    """A function of the runtime's."""
    return _call(f"recurrent.{name}", count)


TENSORFLOW: dict[str, Form] = {
    "add": Form("{0} + {1}", ADD, (ADD, MULTIPLY)),
    "sub": Form("{0} - {1}", ADD, (ADD, MULTIPLY)),
    "mul": Form("{0} * {1}", MULTIPLY, (MULTIPLY, UNARY)),
    "div": Form("{0} / {1}", MULTIPLY, (MULTIPLY, UNARY)),
    "matmul": Form("{0} @ {1}", MULTIPLY, (UNARY, UNARY)),
    "neg": Form("-{0}", UNARY, (UNARY,)),
    "pow": Form("{0} ** {1}", POWER, (ATOM, UNARY)),
    "less": Form("{0} < {1}", COMPARE, (ADD, ADD)),
    "less_equal": Form("{0} <= {1}", COMPARE, (ADD, ADD)),
    "greater": Form("{0} > {1}", COMPARE, (ADD, ADD)),
    "greater_equal": Form("{0} >= {1}", COMPARE, (ADD, ADD)),
    "linear": Form("{0}", CHOOSE),
    "sigmoid": _call("tf.sigmoid"),
    "tanh": _call("tf.tanh"),
    "relu": _call("tf.nn.relu"),
    "relu6": _call("tf.nn.relu6"),
    "leaky_relu": _own("leaky_relu"),
    "elu": _call("tf.nn.elu"),
    "selu": _call("tf.nn.selu"),
    "softplus": _call("tf.nn.softplus"),
    "softsign": _own("softsign"),
    "silu": _call("tf.nn.silu"),
    "gelu": _own("gelu"),
    "mish": _own("mish"),
    "exponential": _call("tf.exp"),
    "log_sigmoid": _call("tf.math.log_sigmoid"),
    "hard_sigmoid": Form("tf.nn.relu6({0} + 3) / 6", MULTIPLY, (ADD,)),
    "hard_silu": _own("hard_silu"),
    "hard_tanh": Form("tf.clip_by_value({0}, -1, 1)"),
    "exp": _call("tf.exp"),
    "log": _call("tf.math.log"),
    "sqrt": _call("tf.sqrt"),
    "square": _call("tf.square"),
    "abs": _call("tf.abs"),
    "sin": _call("tf.sin"),
    "cos": _call("tf.cos"),
    "step": _own("heaviside"),
    "floor": _call("tf.floor"),
    "mod": Form("{0} % {1}", MULTIPLY, (UNARY, UNARY)),
    "minimum": _call("tf.minimum", 2),
    "maximum": _call("tf.maximum", 2),
    "clip": _call("tf.clip_by_value", 3),
    "where": _call("tf.where", 3),
    "stop_gradient": _call("tf.stop_gradient"),
    "straight_through": _own("straight_through", 2),
    "range": Form("tf.cast(tf.range({sizes}), {dtype})"),
    "outer": Form(""),  # `lower` makes it an einsum
    "conv": Form('tf.nn.conv{axes}d({0}, {1}, {strides}, "SAME")'),
    "sum": Form("tf.reduce_sum({0}, axis={axis}{keepdims})"),
    "mean": Form("tf.reduce_mean({0}, axis={axis}{keepdims})"),
    "roll": Form("tf.roll({0}, {by}, axis={axis})"),
    "shift": Form("recurrent.shift({0}, {by}, {axis})"),
    "softmax": Form("tf.nn.softmax({0}, axis={axis})"),
    "cumsum": Form("tf.cumsum({0}, axis={axis})"),
    "normalize": Form("{norm}({0}, {axes}, {1})"),
}

LOWERED: dict[str, Form] = {
    "cast": Form("tf.cast({0}, {dtype})"),  # of a comparison
    "convert": Form("tf.convert_to_tensor({0}, {dtype})"),
    "repeat": Form("tf.broadcast_to(tf.convert_to_tensor({0}, {dtype}), [tf.shape({x})[0], {sizes}])"),
    "einsum": Form('tf.einsum("{subscripts}", {0}, {1})'),
    "reshape": Form("tf.reshape({0}, [{sizes}])"),
    "reshape_each": Form("[tf.reshape(_part, [{sizes}]) for _part in {0}]"),
    "split": Form("tf.split({0}, {sizes}, axis={axis})"),
    "unstack": Form("tf.unstack({0}, axis={axis})"),
    "part": Form("{0}[{index}]"),
    "dilated": Form("recurrent.dilated({0}, {dilation})"),
}

# what only backward steps are made of
BACKWARD: dict[str, Form] = {
    "sign": _call("tf.sign"),
    "erf": _call("tf.math.erf"),
    "zeros": _call("tf.zeros_like"),
    "activation_gradient": Form("{option}.gradient({0}, {1}, {2})"),
    "cumsum_back": Form("tf.cumsum({0}, axis={axis}, reverse=True)"),
    "softmax_back": Form("recurrent.softmax_back({0}, {1}, {at})"),
    "conv_back": Form("recurrent.conv_back({0}, {1}{back})"),
    "conv_kernel_back": Form("recurrent.conv_kernel_back({0}, {1}, {2}{back})"),
    "taps": Form("{0}[{every}]"),  # of a kernel that was dilated
    "normalize_pair": Form("{norm}_parts({0}, {axes}, {1})"),
    "normalize_back": Form("{norm}_back({0}, {1}, {2}, {axes})"),
    "reduce_sum": Form("tf.reduce_sum({0}, axis={axes}{keepdims})"),
    "matmul_over_batch": Form("tf.matmul({0}, {1}, transpose_a=True)"),
    "transpose": _call("tf.transpose"),
    "expand_at": Form("tf.expand_dims({0}, {axis})"),
    "over_length": Form("{0} / {sizes}", MULTIPLY, (MULTIPLY,)),
    "along": Form("tf.repeat({0}, {sizes}, axis={axis})"),
}

FORMS = TENSORFLOW | LOWERED | BACKWARD

# of the activations that an option may choose, those of which Keras keeps a constant in float32
ROUNDED = ("gelu", "leaky_relu")

NORMS = {"layer": "recurrent.layer_norm", "rms": "recurrent.rms_norm"}


@dataclass(frozen=True)
class Emitter:
    """Prints for one cell: it knows which options are words or flags, and what the input is called.

    `prefix` stands before sizes and options: nothing in the step, whose arguments they are, `self.` in the classes.
    `like` is a value whose dtype plain numbers take, and whose batch, if not the input; `dtype` names a dtype for them
    where there is no such value. `local` names stand without the prefix.
    """

    cell: Cell
    prefix: str = ""
    like: str = ""
    dtype: str = ""
    local: frozenset[str] = frozenset()

    def at(self, name: str) -> str:
        return name if name in self.local else f"{self.prefix}{name}"

    def text(self, node: Node, least: int = CHOOSE) -> str:
        """A node as Python, in parentheses if it binds less tightly than `least`."""
        text, binds = self.expression(node)
        return f"({text})" if binds < least else text

    def expression(self, node: Node) -> tuple[str, int]:
        match node:
            case Number(value):
                text = str(value.numerator) if value.denominator == 1 and abs(value) < 10**15 else repr(float(value))
                return text, UNARY if value < 0 else ATOM
            case Ref(name):
                return name, ATOM
            case Activate(option, value):
                return f"{option}({self.text(value)})", ATOM
            case Choose(test, a, b):
                # a choice inside the first arm needs parentheses, one inside the second does not
                return f"{self.text(a, OR)} if {self.test(test, OR)} else {self.text(b)}", CHOOSE
            case Apply("size"):
                ((atom,),) = node.attr("shape")
                return self._size(atom, alone=True), self.binds(atom)
            case Apply("linear", (value,)):
                return self.expression(value)
            case Apply("expand", (value,)):
                text = self.text(value)
                for axis in node.attr("axes"):
                    text = f"tf.expand_dims({text}, {axis})"
                return text, ATOM
            case Apply("where", (condition, a, b)):
                return f"tf.where({self.text(condition)}, {self.text(a)}, {self.text(b)})", ATOM
            case Apply("concat" | "stack" as op, args):
                parts = ", ".join(map(self.element, args))
                return f"tf.{op}([{parts}], axis={node.attr('axis')})", ATOM
            case Apply(op, args):
                form = FORMS[op]
                wants = form.args or (CHOOSE,) * len(args)
                if op in ("mul", "div"):  # Python reads `x @ W * z` from the left too, but people wonder
                    wants = tuple(UNARY if self.is_apart(arg) else want for arg, want in zip(args, wants, strict=True))
                texts = [self.text(arg, want) for arg, want in zip(args, wants, strict=True)]
                return form.text.format(*texts, **self.keywords(node)), form.binds
        raise TypeError(node)

    def element(self, node: Node) -> str:
        """A node in a list; one that is nothing otherwise is left out then."""
        match node:
            case Choose(test, a, Number(value)) if value == 0:
                return f"*([{self.text(a)}] if {self.test(test, OR)} else [])"
        return self.text(node)

    def is_apart(self, node: Node) -> bool:
        """Whether it stands in parentheses in a product, though it binds as tightly."""
        return isinstance(node, Apply) and node.op in ("matmul", "mod")

    def keywords(self, node: Apply) -> dict[str, str]:
        attrs = dict(node.attrs)
        out = {name: str(value) for name, value in attrs.items()}
        out["x"] = self.like or self.cell.inputs[0].name
        out["dtype"] = self.dtype or f"{out['x']}.dtype"
        if "keepdims" in attrs:
            out["keepdims"] = ", keepdims=True" if attrs["keepdims"] else ""
        if "axes" in attrs and isinstance(attrs["axes"], tuple):
            out["axes"] = str(list(attrs["axes"])) if len(attrs["axes"]) > 1 else str(attrs["axes"][0])
        if "stride" in attrs:
            steps, axes = attrs["stride"], attrs["axes"]
            out["strides"] = str(steps if axes < 3 else [1, *[steps] * axes, 1])  # as TensorFlow takes them
            out["back"] = f", {steps}" if steps > 1 else ""
        if node.op.startswith("normalize"):
            out["norm"] = NORMS[attrs["kind"]]
        if node.op in ("reshape", "reshape_each", "repeat", "range"):
            sizes = [self.size(axis) for axis in attrs["shape"]]
            out["sizes"] = ", ".join(["-1", *sizes] if attrs.get("batch") else sizes)
        if node.op in ("along", "over_length"):
            (axis,) = attrs["shape"]
            size = self.size(axis)
            out["sizes"] = f"({size})" if node.op == "over_length" and " " in size else size
        if node.op == "split" and not isinstance(attrs["sizes"], int):
            sizes = zip(attrs["sizes"], attrs.get("tests") or (None,) * len(attrs["sizes"]))
            out["sizes"] = f"[{', '.join(self.part(each, CHOOSE) for each in sizes)}]"
        return out

    def size(self, axis: Axis, least: int = CHOOSE) -> str:
        """The size of an axis."""
        axis = undivided(axis, self.cell.dims)
        return " * ".join(self._size(atom, alone=len(axis) == 1 and least == CHOOSE) for atom in axis) or "1"

    def part(self, part: tuple[Axis, Test | None], least: int = ADD) -> str:
        """The size of a label's part: nothing where an instance does not have it."""
        axis, test = part
        if test is None:
            return self.size(axis, least)
        text = f"{self.size(axis, OR)} if {self.test(test, OR)} else 0"
        return f"({text})" if least > CHOOSE else text

    def _size(self, atom: Atom, alone: bool = False) -> str:
        if isinstance(atom, int):
            return str(atom)
        labels = self.cell.axis(atom)
        if labels is not None:
            return f"({' + '.join(map(self.part, labels.parts))})" if labels.widths else str(len(labels.labels))
        dim = next(dim for dim in self.cell.dims if dim.name == atom)
        given = self.at(atom)
        match dim.kind:
            case "inferred" | "optional":
                port = next(port for port in self.cell.inputs if (atom,) in port.shape)
                shape = f'{self.prefix}_port_shapes["{port.name}"]' if self.prefix else f"{port.name}.shape"
                if self.prefix and len(self.cell.inputs) == 1:
                    shape = f"{self.prefix}input_spec.shape"
                return f"{shape}[{port.shape.index((atom,)) - len(port.shape)}]"
            case "alias":
                size = f"{self._size(dim.value, alone=True)} if {given} is None else {given}"
                return size if alone else f"({size})"
            case "quotient" if dim.divisor == 1:
                return self._size(dim.value, alone)
            case "quotient":
                size = f"{self._size(dim.value)} // {self._size(dim.divisor)}"
                return size if alone else f"({size})"
        return given

    def binds(self, atom: Atom) -> int:
        """How tightly the text of a size binds."""
        kind = next((dim.kind for dim in self.cell.dims if dim.name == atom), "")
        return {"alias": CHOOSE, "quotient": MULTIPLY}.get(kind, ATOM)

    # --- tests

    def test(self, test: Test, least: int = CHOOSE) -> str:
        """A test as Python."""
        text, binds = self._test(test)
        return f"({text})" if binds < least else text

    def _test(self, test: Test) -> tuple[str, int]:
        test = renamed(test, self.cell.connections)
        match test:
            case Given(name):
                return (self.at(name), ATOM) if self.flag(name) else (f"{self.at(name)} is not None", COMPARE)
            case Is(name, word):
                return f'{self.at(name)} == "{word}"', COMPARE
            case Not(Given(name)) if not self.flag(name):
                return f"{self.at(name)} is None", COMPARE
            case Not(Is(name, word)):
                return f'{self.at(name)} != "{word}"', COMPARE
            case Not(inner):
                return f"not {self.test(inner, NOT)}", NOT
            case Both() | Either() if (found := one_word_of(test)) is not None:
                name, words, among = found
                listed = ", ".join(f'"{word}"' for word in words)
                return f"{self.at(name)} {'in' if among else 'not in'} ({listed})", COMPARE
            case Both(a, b):
                return f"{self.test(a, AND)} and {self.test(b, AND)}", AND
            case Either(a, b):
                return f"{self.test(a, OR)} or {self.test(b, OR)}", OR
        raise TypeError(test)

    def flag(self, name: str) -> bool:
        option = next((option for option in self.cell.options if option.name == name), None)
        return name in ("training", *self.cell.connections.values()) or option is not None and option.kind == "flag"
