"""Names that are still free."""

from collections.abc import Iterable

# functions of the generated module that a step calls: a value in it must not hide them
CALLED = frozenset(
    """_layer_norm _layer_norm_parts _layer_norm_back _rms_norm _rms_norm_parts _rms_norm_back _softmax_back _gelu _mish
    _leaky_relu _softsign _hard_silu _heaviside _straight_through""".split()
)


class Free:
    """Which names are free: all but those that are taken or called, and each that is given is taken from then on."""

    def __init__(self, taken: Iterable[str] = ()):
        self._taken = {*taken, *CALLED}

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
