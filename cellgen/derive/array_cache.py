"""What expressions come to in one variant, recalled in the next ones in which they are the same."""

from collections.abc import Callable, Mapping

import numpy as np

from cellgen.derive.symbolic_arrays import Lanes
from cellgen.ir import Node, Path, Sources, Type


class ArrayCache:
    """The arrays that were found of expressions, by all that an expression's value depends on.

    Nodes, and the arrays that names stand for, are told apart by identity: what is recalled is one array everywhere,
    and all of them are held here.
    """

    def __init__(self):
        self._sources: dict[tuple[int, Path], Sources] = {}
        self._found: dict[tuple, tuple[np.ndarray, list]] = {}

    def of(self, find: Callable, node: Node, path: Path, env: Mapping[str, np.ndarray], want: Type | None = None):
        """What `find`, a method of some `Lanes`, makes of a node; as a value of type `want`."""
        scope: Lanes = find.__self__
        if (id(node), path) not in self._sources:
            self._sources[id(node), path] = Sources(node, path)
        sources = self._sources[id(node), path]
        reads = [env.get(name) for name in sources.names]
        answers = sources.answers(scope.variant.variant)
        types = tuple(map(scope.types.get, sources.paths))
        key = (find.__name__, id(node), path, want, answers, types, tuple(map(id, reads)), scope.about)
        if key not in self._found:
            found = find(node, path, env)
            self._found[key] = found if want is None else scope.fit(found, scope.types[path], want), reads
        return self._found[key][0]
