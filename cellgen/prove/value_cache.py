"""What names stand for in one variant, recalled in the next ones in which they come from the same."""

from collections.abc import Callable

from cellgen.ir import Program, Ref, Sources


class ValueCache:
    """The values of names, each by its *origin*: a number that says all that the value depends on."""

    def __init__(self):
        self._numbers: dict[tuple, int] = {}
        self._sources: dict[int, Sources] = {}
        self._equations: dict[tuple[Program, str], int] = {}
        self._made: dict[tuple, int] = {}
        self._values: dict[int, object] = {}

    def number(self, *parts) -> int:
        """That of these parts: the same for the same."""
        return self._numbers.setdefault(parts, len(self._numbers))

    def leaf(self, program: Program, ref: Ref) -> int:
        """That of a name which no equation gives."""
        type = program.variant.names.get(ref.name)
        return self.number(ref, type and (type.shape, type.binary))

    def equation(self, program: Program, name: str) -> int:
        """That of what an equation says: the choices that are made in it, and the types."""
        if (program, name) not in self._equations:
            sources, variant = self._read(program, name), program.variant
            types = tuple(map(variant.types.get, sources.paths))
            said = id(sources.node), sources.answers(variant.variant), types, variant.names[name]
            self._equations[program, name] = self.number(said)
        return self._equations[program, name]

    def made(self, program: Program, name: str) -> int:
        """That of what an equation says with its choices made, which other choices may make as well."""
        sources = self._read(program, name)
        key = id(sources.node), sources.answers(program.variant.variant)
        if key not in self._made:
            self._made[key] = self.number(program.made(program.root(name)[0]))
        return self._made[key]

    def _read(self, program: Program, name: str) -> Sources:
        node = program.equations[name].value
        if id(node) not in self._sources:
            self._sources[id(node)] = Sources(node, (name,))
        return self._sources[id(node)]

    def value(self, origin: int, find: Callable[[], object]):
        """The value of this origin, found once."""
        if origin not in self._values:
            self._values[origin] = find()
        return self._values[origin]
