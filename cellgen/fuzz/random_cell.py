"""A random cell: declarations, the equations of its states, laws, and the text of it all."""

import re
from random import Random

from cellgen.fuzz.random_expr import SMOOTH, Expressions, Value
from cellgen.fuzz.random_starts import from_each_other
from cellgen.fuzz.random_text import Dims, bare, labels_in, reads, section, shape_text

PORT = {"wide": "units", "thin": "1"}  # the labels of an axis whose parts have widths of their own

INTERVALS = "(-1, 1);[-1, 1];[0, inf);(0, 1);[0, 1];(-2, 2);(-inf, inf);[-3, 3];(-inf, 0]".split(";")


class Writing(Expressions):
    """A whole cell. plain: with vectors for input and output, as a stack of it wants."""

    def __init__(self, rng: Random, plain: bool = False):
        super().__init__(rng, plain)
        self.declare()

    # --- declarations

    def declare(self) -> None:
        rng, dims = self.rng, self.sections["dims"]
        kinds = ("units", "units", "units", "proj", "alias", "heads", "quotient", "picture")
        kind = "units" if self.plain else rng.choice(kinds)
        dims["units"] = "required"
        self.shapes: list[Dims] = [("units",)]
        if kind == "proj":
            dims["proj"] = rng.choice(("required", "3"))
            self.shapes += [("proj",), ("units", "proj")]
        elif kind == "alias":
            dims["proj"] = "units"
            self.shapes += [("proj",)]
        elif kind == "heads":
            dims |= {"heads": rng.choice(("2", "required")), "key": rng.choice(("3", "required"))}
            self.shapes += [("heads", "key"), ("key",), ("heads",), ("heads", "key", "units")]
        elif kind == "quotient":
            dims |= {"heads": "2", "key": "units/heads"}
            self.shapes += [("heads", "key"), ("heads",)]
        elif kind == "picture":
            dims |= {"rows": rng.choice(("4", "required")), "half": "rows/2", "wide": "3"}
            self.shapes += [("rows", "units"), ("half", "units"), ("half", "wide", "units")]
        if self.chance(0.5) and not self.plain:
            self.gates = tuple("ifgo"[: rng.randint(1, 4)])
            self.shapes += [("gates", "units")]
        if self.chance(0.15) and not self.plain:
            self.sections["axes"]["side"] = "[left, right]"
            self.shapes += [("side", "units")]
        if self.chance(0.08) and not self.plain:  # labels with widths of their own
            self.sections["axes"]["port"] = f"{{{', '.join(map(': '.join, PORT.items()))}}}"
        self.shapes += [("1",)]
        self.inputs()
        if "input" in dims and not self.plain and self.chance(0.06):
            self.shapes += [("input",)]
        self.states = {"h": ("units",)} if self.plain or self.chance(0.8) else {"h": self.shape(3)}
        for name in ("c", "n", "s")[: 0 if self.plain else rng.choice((0, 0, 1, 1, 2))]:
            self.states[name] = self.shape(2)
        self.kinds = dict.fromkeys(self.states, "real")
        if len(self.states) > 1 and self.chance(0.15):
            self.kinds[next(reversed(self.states))] = "binary"
        for name, shape in self.states.items():
            self.state(name, shape)

    def shape(self, rank: int) -> Dims:
        return self.rng.choice([shape for shape in self.shapes if len(shape) <= rank])

    def inputs(self) -> None:
        rng, inputs, dims = self.rng, self.sections["inputs"], self.sections["dims"]
        own = not self.plain and self.chance(0.2)
        width = ("units",) if own else ("input",)
        if not own:
            dims["input"] = "inferred"
        if self.plain or self.chance(0.94):
            inputs["x"] = shape_text(width)
        else:  # several vectors a step, of which the equations read the mean
            dims.setdefault("rows", rng.choice(("2", "required", "inferred")))
            inputs["x"] = shape_text(("rows", *width))
            self.table("x", width)
        self.values.append(Value(self.vector("x"), width, 2))
        if self.plain:
            return
        if self.chance(0.05):
            dims["cols"] = rng.choice(("required", "2"))
            inputs["m"] = f"{{shape: [cols, 3], default: {rng.choice(('1', '0.5'))}}}"
            self.table("m", ("3",))
            self.values.append(Value(self.vector("m"), ("3",), 2))
        if self.chance(0.12):
            inputs["u"] = f"{{shape: [1], default: {rng.choice(('1', '0', '0.5'))}}}"
            self.values.append(Value("u", ("1",), 2))
        if self.chance(0.08):
            inputs["on"] = "{shape: [1], values: [0, 1], default: 1}"
            self.binary.append(Value("on", ("1",), 2, True))
        if self.chance(0.08):
            dims["side_width"] = "inferred"
            inputs["w"] = "{shape: [side_width], per: sequence}"
            self.values.append(Value("w", ("side_width",), 2))
        if self.chance(0.08):
            dims["ages"] = rng.choice(("inferred", "2"))
            inputs["g"] = rng.choice(("[ages]", "{shape: [ages], per: sequence}"))
            self.values.append(Value("g", ("ages",), 2))
        if self.chance(0.06):
            inputs["k"] = "{shape: [1], index: true}"
            self.values.append(Value("k", ("1",), 2))
        if self.chance(0.08):
            dims["extra"] = "optional"
            inputs["e"] = "{shape: [extra], optional: true}"
            self.tests.append("e")

    def table(self, name: str, width: Dims) -> None:
        """An equation for what is read of an input of two axes."""
        value = self.rng.choice((f"mean({name}, over={'rows' if name == 'x' else 'cols'})", f"tanh({name})"))
        if value.startswith("tanh"):
            value = f"sum({value}, over={'rows' if name == 'x' else 'cols'})"
        self.equations.append((f"{name}s", "", value))

    def vector(self, name: str) -> str:
        """What stands for an input where a vector is read."""
        return f"{name}s" if any(own == f"{name}s" for own, *_ in self.equations) else name

    @staticmethod
    def first(shape: Dims, value: str) -> str:
        return f"{{shape: {shape_text(shape)}, initial: {value}}}"

    def state(self, name: str, shape: Dims) -> None:
        rng = self.rng
        if self.kinds[name] == "binary":
            self.sections["state"][name] = f"{{shape: {shape_text(shape)}, values: [0, 1]}}"
            self.binary.append(Value(f"{name}[t-1]", shape, 3, True))
            return
        if self.chance(0.08):
            first = self.weight(shape, stem="s")
            self.sections["state"][name] = self.first(shape, first)
        elif self.chance(0.08):
            self.sections["state"][name] = self.first(shape, rng.choice(("1", "0.5", "-1")))
        else:
            self.sections["state"][name] = shape_text(shape)
        self.values.append(Value(f"{name}[t-1]", shape, 3))

    # --- the whole

    def update(self, name: str, dims: Dims) -> str:
        old = f"{name}[t-1]"
        if self.kinds[name] == "binary":
            if self.chance(0.4):
                return f"straight_through(step({self.expr(dims, 2)} - {old}), sigmoid({bare(self.expr(dims, 1))}))"
            return f"step({bare(self.expr(dims, 2))} + 0.5 * {old})"
        if name != "h" and self.chance(0.08):  # the same in every sample
            return f"{self.rng.choice(('tanh', 'sigmoid', 'linear'))}({self.weight(dims, 'b')})"
        depth = self.rng.choice((2, 3, 4))
        match self.rng.randrange(7):
            case 0 | 1:
                return f"tanh({bare(self.expr(dims, depth))} + {self.projected(dims)})"
            case 2:
                return f"{self.gated(dims)} * {old} + {self.expr(dims, depth)}"
            case 3:
                gate = self.gated(dims)
                return f"{gate} * {old} + (1 - {gate}) * {self.expr(dims, depth)}"
            case 4:
                return f"0.5 * {old} + {self.expr(dims, depth)} + {self.projected(dims)}"
            case 5 if not self.plain:
                new = self.new("a")
                self.equation(new, dims, f"tanh({bare(self.exact(dims, depth))}) + {self.projected(dims)}", 3, False)
                return f"zoneout({new}, {old}, {self.rate()}, per=step)"
        return f"{self.expr(dims, depth)} * {old} + {self.projected(dims)}"

    def gated(self, dims: Dims) -> str:
        name = self.new("f")
        self.equation(name, dims, f"sigmoid({bare(self.exact(dims, 2))})", 3, annotated=False)
        return name

    def text(self) -> str:
        rng = self.rng
        for name, dims in self.states.items():
            self.budget = max(self.budget, rng.choice((2, 5, 9)))
            text = self.update(name, dims)
            self.equations.append((name, "", bare(text)))
            value = Value(name, dims, 3, self.kinds[name] == "binary")
            (self.binary if value.binary else self.values).append(value)
        output = ""
        if self.chance(0.2) and not self.plain:
            dims = self.shape(2)
            self.budget = max(self.budget, 4)
            term = f"{self.leaf(dims)} * {self.number_of('h', self.states['h'])}"
            self.equations.append(("y", "", bare(f"{self.expr(dims, 2)} + {term}")))
            output = "y"
        self.unread(output)
        return self.written(output)

    def add(self, term: str) -> None:
        """Adds a term to the first state."""
        where = next(index for index, each in enumerate(self.equations) if each[0] == "h")
        own, annotation, text = self.equations[where]
        self.equations[where] = own, annotation, f"({text}) + {term}"

    @staticmethod
    def number_of(text: str, dims: Dims) -> str:
        for _ in dims if dims != ("1",) else ():
            text = f"mean({text})"
        return text

    def unread(self, output: str) -> None:
        """What was declared and is not read after all goes into the first state."""
        for name in self.sections["inputs"]:
            own = self.vector(name)
            body = " ".join(text for *_, text in self.equations)
            if not reads(body, own):
                self.patch(name)
        for index, (name, annotation, text) in enumerate(self.equations):
            if name in self.states and f"{name}[t-1]" not in " ".join(each for *_, each in self.equations):
                if re.fullmatch(r"\w+\(b\d+\)", text):
                    self.add(f"0.1 * {self.number_of(f'{name}[t-1]', self.states[name])}")
                else:
                    self.equations[index] = name, annotation, f"({text}) + 0.1 * {name}[t-1]"
        self.prune(output)
        options = self.sections["options"]
        body = " ".join([text for *_, text in self.equations])
        self.sections["options"] = {name: each for name, each in options.items() if reads(body, name)}
        self.label("gates", self.gates)
        self.label("side", ("left", "right") if "side" in self.sections["axes"] else ())
        self.widths()

    def prune(self, output: str) -> None:
        """Values and weights that nothing reads are left out."""
        before = None
        while before != len(self.equations):
            before = len(self.equations)
            kept = {*self.states, output}
            for index in reversed(range(len(self.equations))):
                rest = " ".join(text for *_, text in self.equations[index + 1 :])
                if self.equations[index][0] not in kept and not reads(rest, self.equations[index][0]):
                    del self.equations[index]
        body = " ".join(text for *_, text in self.equations)
        first = " ".join(self.sections["state"].values())
        for name in ("params", "norms"):
            entries = self.sections[name].items()
            self.sections[name] = {key: each for key, each in entries if reads(body, key) or reads(first, key)}

    def label(self, axis: str, labels: tuple[str, ...]) -> None:
        """Labels that nothing reads are left out; if that is all of them, a value is there of which they are read."""
        body = " ".join(text for *_, text in self.equations)
        there = reads(" ".join([body, *self.sections["params"].values(), *self.sections["state"].values()]), axis)
        there = there or any(reads(shape, axis) for _, shape, _ in self.equations)
        if not labels or not there and "affine(" not in body:
            return
        read = [label for label in labels if any(part == label for part in labels_in(body))]
        if not read:
            (kernel, name), read = (self.new("W"), self.new("z")), [labels[0]]
            x = self.vector("x")
            width = next(value.dims[0] for value in self.values if value.text == x)
            self.sections["params"][kernel] = f"[{width}, {axis}, units]"
            self.equations.insert(1 if x == "xs" else 0, (name, "", f"{x} @ {kernel}"))
            self.add(f"mean({name}.{read[0]})")
        if axis == "gates":
            self.gates = tuple(read)
        else:
            self.sections["axes"][axis] = f"[{', '.join(read)}]"

    def named(self, dims: Dims, depth: int) -> str:
        if "port" in self.sections["axes"] and dims in (("units",), ("1",)) and self.chance(0.4):
            return self.ported(dims)
        return super().named(dims, depth)

    def ported(self, dims: Dims) -> str:
        """A part of what goes through a weight whose columns have labels, perhaps of some function of it."""
        name = self.new("p")
        vectors = [value for value in self.values if len(value.dims) == 1 and value.dims != ("1",)]
        vector = self.rng.choice(vectors)
        text = f"{vector.text} @ {self.weight((*vector.dims, 'port'))}"
        if self.chance(0.4):
            text = f"{text} + {self.weight(('port',), 'b')}"
        if self.chance(0.4):
            text = f"{self.rng.choice(SMOOTH)}({text})"
        self.equation(name, ("port",), text, vector.level, annotated=False)
        if self.chance(0.3):
            other = self.new("p")
            self.equation(other, ("port",), f"{self.rng.choice(SMOOTH)}({name})", vector.level, annotated=False)
            name = other
        label = "wide" if dims == ("units",) else "thin"
        return f"{name}.{label}" if self.chance(0.8) else f"({name} * {name}).{label}"

    def widths(self) -> None:
        """Of labels with widths of their own, those that are read."""
        body, axes = " ".join(text for *_, text in self.equations), self.sections["axes"]
        if "port" in axes:
            widths = [f"{label}: {width}" for label, width in PORT.items() if f".{label}" in body]
            axes["port"] = f"{{{', '.join(widths)}}}"

    def patch(self, name: str) -> None:
        shape = {"u": "1", "on": "1", "k": "1", "w": "side_width", "g": "ages", "e": "extra", "m": "3"}.get(name)
        if name == "x":
            shape = next(value.dims[0] for value in self.values if value.text == self.vector("x"))
        if shape == "1":
            term = f"0.1 * {name}"
        else:
            term = f"({self.vector(name)} @ {self.weight((shape, *self.states['h']))})"
            term = f"({term[1:-1]} if {name} else 0)" if name == "e" else term
        self.add(term)

    def written(self, output: str) -> str:
        rng, sections = self.rng, self.sections
        lines = ["cell: Fuzz"]
        self.bodies = [[f"  {name}{f': {shape}' if shape else ''} = {text}"] for name, shape, text in self.equations]
        if self.chance(0.15) and not self.plain:
            self.loop()
        body = [line for each in self.bodies for line in each]
        text = "\n".join(body)
        params = {name: shape for name, shape in sections["params"].items() if shape}
        from_each_other(rng, params, text)
        used = text + " ".join(params.values()) + " ".join(sections["state"].values()) + " ".join(
            sections["inputs"].values()) + " ".join(sections["norms"].values())  # fmt: skip
        sections = sections | {"params": params}
        wanted = {name for name in sections["dims"] if reads(used, name)}
        wanted |= {each for name in wanted for each in sections["dims"] if reads(sections["dims"][name], each)}
        sections["dims"] = {name: size for name, size in sections["dims"].items() if name in wanted}
        sections["axes"] = {name: labels for name, labels in sections["axes"].items() if reads(used, name)}
        if "dims" in sections:
            lines += section("dims", sections["dims"])
        if self.gates and (reads(used, "gates") or "affine(" in text):
            lines.append(f"gates: [{', '.join(self.gates)}]")
        for name in ("axes", "options", "inputs", "state"):
            lines += section(name, sections[name])
        if output:
            lines.append(f"output: {output}")
        for name in ("params", "norms"):
            lines += section(name, sections[name])
        if self.chance(0.25):
            kinds = ["hold", "none"]
            some = rng.sample(sorted(self.states), rng.randint(1, len(self.states)))
            kinds += [f"{{kind: reset, states: [{', '.join(some)}]}}"]
            lines.append(f"mask: {rng.choice(kinds)}")
        lines += ["equations: |", *body]
        laws = self.laws()
        if laws:
            lines += ["laws: |", *(f"  {law}" for law in laws)]
        return "\n".join(lines) + "\n"

    def loop(self) -> None:
        """Makes of one equation some micro-steps."""
        rng = self.rng
        found = [
            (index, name, text, self.of(name))
            for index, (name, shape, text) in enumerate(self.equations)
            if not shape and "affine(" not in text and self.kinds.get(name) != "binary" and self.of(name) is not None
        ]
        if not found:
            return
        index, name, text, dims = rng.choice(found)
        k, count, axis = rng.choice(("k", "j")) + "_", rng.choice((1, 2, 3)), self.chance(0.6)
        if axis:
            self.sections["axes"]["depth"] = str(count)
        carried = [f"{state}[t-1]" for state, shape in self.states.items() if shape == dims]
        start = rng.choice(carried) if carried and self.chance(0.8) else f"0.5 * ({text})"
        old, inside = f"{name}[{k}-1]", []
        way = rng.choice((f"tanh({old})", f"{old} / {k}", f"({old} if {k} == 1 else sin({old}))"))
        if axis and self.chance(0.6):
            way = f"{old} * {self.weight(('depth', *dims), 'b')}[{k}]"
        if self.chance(0.4):
            inside, way = [f"    q_{k} = {way}"], f"sigmoid(q_{k})"
        self.bodies[index] = [
            f"  {name}[0] = {start}",
            f"  for {k} in {'depth' if axis else count}:",
            *inside,
            f"    {name} = 0.5 * ({text}) + {way}",
        ]

    # --- laws

    def laws(self) -> list[str]:
        """Claims, true or not."""
        if not self.chance(0.5):
            return []
        names = [name for name, annotation, text in self.equations if self.of(name) is not None]
        return [self.law(names) for _ in range(self.rng.choice((1, 1, 2)))]

    def of(self, name: str) -> Dims | None:
        return next((value.dims for value in (*self.values, *self.binary) if value.text == name), None)

    def law(self, names: list[str]) -> str:
        rng, name = self.rng, self.rng.choice(names)
        state = rng.choice(list(self.states))
        match rng.randrange(8):
            case 0 | 1 | 2:
                return f"{name} in {rng.choice(INTERVALS)}"
            case 3:
                return f"{name} free of {state}[t-1]"
            case 4:
                text = next(text for own, _, text in self.equations if own == name)
                if "dropout" in text or "zoneout" in text or "affine" in text or " if " in text or "straight" in text:
                    return f"{name} == {name}"
                other = rng.choice((f"{text}", f"({text}) * 1", f"({text}) * 1.5", f"-(-({text}))"))
                return f"{name} == {other}"
            case 5:
                fact = rng.choice(names)
                return f"{name} in {rng.choice(('(-1, 1)', '[0, 1]', '[-2, 2]'))} when {fact} == {rng.choice('01')}"
            case 6:
                fact = rng.choice(names)
                return (
                    f"{name} == {state}[t-1] when {fact} == 1"
                    if self.of(name) == self.states[state]
                    else f"{name} free of {state}[t-1] when {fact} == 0"
                )
            case _:
                return f"{name} * {name} in [0, inf)"
