"""The types of an equation, found in one variant and recalled in the next ones in which it comes from the same."""

from cellgen.ir import Cell, Equation, Path, Sources, Type
from cellgen.shapes.context import Context
from cellgen.shapes.infer import infer


class TypeCache:
    """What was found of the equations of one cell, by all that their types depend on.

    What has more effects than types is found each time: a mistake, which is told; a norm, whose weights get a shape;
    and what is drawn at random, which gets one.
    """

    def __init__(self, cell: Cell):
        self._ports = {port.name: port for port in cell.inputs}
        self._drawn = {noise.name for noise in cell.noises}
        self._sources: dict[str, Sources] = {}
        self._found: dict[tuple, dict[Path, Type]] = {}

    def infer(self, equation: Equation, context: Context) -> Type:
        """As `infer`, which see."""
        path = (equation.name,)
        if equation.name not in self._sources:
            self._sources[equation.name] = Sources(equation.value, path)
        sources = self._sources[equation.name]
        if any("/" in ref.name or ref.name in self._drawn for ref in sources.refs):
            return infer(equation.value, path, context)
        reads = tuple((context.carried if ref.ago else context.names).get(ref.name) for ref in sources.refs)
        ports = (self._ports[ref.name] for ref in sources.refs if ref.name in self._ports)
        there = tuple(port.there(context.variant) for port in ports)
        same = tuple(context.dims.same.items())
        key = equation.name, sources.answers(context.variant), reads, there, same
        if key not in self._found:
            infer(equation.value, path, context)
            self._found[key] = {each: context.types[each] for each in sources.paths if each in context.types}
        context.types.update(self._found[key])
        return context.types[path]
