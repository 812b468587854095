"""Random expressions that couple lanes of an axis, or say where a lane stands along it."""

from cellgen.fuzz.random_text import Dims, bare, shape_text


class Couplings:
    """A part of `Expressions`, of which it takes everything else."""

    def counted(self, dims: Dims, depth: int) -> str:
        """Where a lane stands along its axis."""
        text = self.rng.choice(("(range({0}) / {0})", "mod(range({0}), 2)", "cos(range({0}))", "range({0})"))
        return f"({text.format(dims[0])} * {self.expr(dims, depth)})"

    def reduced(self, dims: Dims, depth: int) -> str:
        """A sum or mean over an axis that the result does not have."""
        axes = [a for shape in self.shapes for a in shape if a != "1" and a not in dims and a != "gates"]
        axis = self.rng.choice(axes) if axes else None
        if axis is None:
            return self.leaf(dims)
        bigger = (axis,) if dims == ("1",) else (*dims, axis) if self.chance(0.5) else (axis, *dims)
        if len(bigger) > 3 or "proj" in bigger and "units" in bigger and self.sections["dims"].get("proj") == "units":
            return self.leaf(dims)
        over = f", over={axis}" if bigger[-1] != axis or self.chance(0.6) else ""
        return f"{self.rng.choice(('sum', 'mean'))}({bare(self.exact(bigger, depth))}{over})"

    def along(self, dims: Dims, depth: int) -> str:
        axis = self.rng.choice(dims)
        over = f", over={axis}" if axis != dims[-1] or self.chance(0.5) else ""
        name = self.rng.choice(("softmax", "softmax", "cumsum", "roll", "shift"))
        by = f", by={self.rng.choice((1, -1, 2, -5))}" if name in ("roll", "shift") else ""
        return f"{name}({bare(self.exact(dims, depth))}{by}{over})"

    def normed(self, dims: Dims, depth: int) -> str:
        name = self.new("ln")
        over = dims[-1:] if self.chance(0.8) else dims
        extra = "".join(
            self.rng.choice(("", f", {key}: {init}")) for key, init in (("scale", "ones"), ("shift", "zeros"))
        )
        epsilon = self.rng.choice(("1.0e-3", "1.0e-2", "0.1"))
        kind = self.rng.choice(("layer", "rms"))
        self.sections["norms"][name] = f"{{kind: {kind}, over: {shape_text(over)}, epsilon: {epsilon}{extra}}}"
        return f"{name}({bare(self.exact(dims, depth))})"

    def outer(self, dims: Dims, depth: int) -> str:
        if len(dims) == 2:
            return f"outer({bare(self.exact(dims[:1], depth))}, {bare(self.exact(dims[1:], depth))})"
        return f"outer({bare(self.exact(dims[:2], depth))}, {bare(self.exact((dims[0], dims[2]), depth))})"

    def product(self, dims: Dims, depth: int) -> str:
        """A matmul."""
        vectors = [value for value in self.values if len(value.dims) == 1 and value.dims != ("1",)]
        vector = self.rng.choice(vectors)
        if dims == ("1",) and self.chance(0.6):
            return f"({vector.text} @ {self.leaf(vector.dims)})"
        if dims == ("heads", "units") and ("heads", "key") in self.shapes:
            return f"({self.leaf(('heads', 'key'))} @ {self.leaf(('heads', 'key', 'units'))})"
        if dims[0] == "heads" and dims[1:] in (("key",), ("value",)) and self.chance(0.5):  # a block for each head
            if self.chance(0.3):
                return f"({self.weight(('heads', dims[1], 'key'))} @ {self.exact(('heads', 'key'), depth)})"
            return f"({self.exact(('heads', 'key'), depth)} @ {self.weight(('heads', 'key', dims[1]))})"
        if len(dims) == 1 and self.chance(0.25) and vector.dims != dims:
            matrix = self.leaf((*vector.dims, *dims))
            return f"({vector.text} @ {matrix})"
        if len(dims) == 1 and self.chance(0.2):
            inner = self.exact(vector.dims, depth)
            return f"({inner} @ {self.weight((*vector.dims, *dims))})"
        if len(dims) == 1 and self.chance(0.15) and vector.dims != dims:  # `W @ x`
            return f"({self.weight((*dims, *vector.dims))} @ {vector.text})"
        return self.projected(dims)

    def convolved(self, dims: Dims, depth: int) -> str:
        """A convolution along all axes but the last."""
        *along, filters = dims
        every, channels = along == ["half"] and self.chance(0.6), self.rng.choice((filters, "wide"))
        self.sections["dims"].setdefault("wide", "3")
        text = self.exact(("rows", channels) if every else (*along, channels), depth)
        value = bare(text)
        if "[t-1]" not in text or " if " in text:  # weights alone are not convolved
            state = "h[t-1]"
            for _ in self.states["h"] if self.states["h"] != ("1",) else ():
                state = f"mean({state})"
            value = f"{text} + {state}"
        sizes = [self.rng.choice(("1", "2", "3", axis)) for axis in along]
        how = ", stride=2" * every + ", dilation=2" * self.chance(0.2)
        return f"conv({value}, {self.weight((*sizes, channels, filters), 'K')}{how})"
