"""What an expression comes from in a variant: the answers to its tests, and the names that it reads.

Where these are the same, so is all that is found of it: what was found in one variant holds in the next.
"""

from cellgen.ir.expr import Choose, Node, Path, Ref, Variant, holds, walk


class Sources:
    """Of an expression, whatever is chosen in it. It holds the node, which may so be known by its identity."""

    def __init__(self, node: Node, path: Path):
        places = list(walk(node, path))
        self.node = node
        self.paths = tuple(place for place, _ in places)
        self.tests = tuple(each.test for _, each in places if isinstance(each, Choose))
        self.refs = tuple(dict.fromkeys(each for _, each in places if isinstance(each, Ref)))
        self.names = tuple(f"{ref.name}[t-1]" if ref.ago else ref.name for ref in self.refs)

    def answers(self, variant: Variant) -> tuple[bool, ...]:
        """What its tests come to."""
        return tuple(holds(test, variant) for test in self.tests)
