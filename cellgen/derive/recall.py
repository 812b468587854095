"""What expressions come to in one variant, recalled in the next ones in which they are the same."""

from collections.abc import Callable, Mapping

import numpy as np

from cellgen.derive.symbolic_arrays import Lanes
from cellgen.ir import Choose, Node, Path, Ref, Type, holds, walk


class Recall:
    """The arrays that were found of expressions, by all that an expression's value depends on.

    Nodes, and the arrays that names stand for, are told apart by identity: what is recalled is one array everywhere,
    and all of them are held here.
    """

    def __init__(self):
        self._within: dict[tuple[int, Path], _Within] = {}
        self._found: dict[tuple, tuple[np.ndarray, list]] = {}

    def of(self, find: Callable, node: Node, path: Path, env: Mapping[str, np.ndarray], want: Type | None = None):
        """What `find`, a method of some `Lanes`, makes of a node; as a value of type `want`."""
        scope: Lanes = find.__self__
        if (id(node), path) not in self._within:
            self._within[id(node), path] = _Within(node, path)
        within = self._within[id(node), path]
        reads = [env.get(name) for name in within.names]
        answers = tuple(holds(test, scope.variant.variant) for test in within.tests)
        types = tuple(map(scope.types.get, within.paths))
        key = (find.__name__, id(node), path, want, answers, types, tuple(map(id, reads)), scope.about)
        if key not in self._found:
            found = find(node, path, env)
            self._found[key] = found if want is None else scope.fit(found, scope.types[path], want), reads
        return self._found[key][0]


class _Within:
    """What stands in an expression: the tests of its choices, the paths of its nodes, and the names that it reads."""

    def __init__(self, node: Node, path: Path):
        self.node, places = node, list(walk(node, path))
        self.paths = [place for place, _ in places]
        self.tests = [each.test for _, each in places if isinstance(each, Choose)]
        reads = [each for _, each in places if isinstance(each, Ref)]
        self.names = list(dict.fromkeys(f"{each.name}[t-1]" if each.ago else each.name for each in reads))
