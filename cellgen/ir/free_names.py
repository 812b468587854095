"""Names that are still free."""

from collections.abc import Iterable

GATHERED = frozenset(["_kept", "_read", "_d_inputs", "_d_weights"])  # of a generated function: no value is called so


class Free:
    """Which names are free: all but those that are taken, and each that is given is taken from then on."""

    def __init__(self, taken: Iterable[str] = ()):
        self._taken = {*taken, *GATHERED}

    def new(self, name: str) -> str:
        """This name, or with `_` in front as often as it takes."""
        while name in self._taken:
            name = f"_{name}"
        self._taken.add(name)
        return name

    def numbered(self, name: str) -> str:
        """This name, or with a number behind it, from 2 on."""
        count, found = 1, name
        while found in self._taken:
            count += 1
            found = f"{name}_{count}"
        self._taken.add(found)
        return found
