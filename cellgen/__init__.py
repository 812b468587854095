"""A compiler for recurrent cells: a spec in YAML to a TensorFlow cell, its layer and their tests.

On the command line `cellgen --help`. In a notebook `cellgen.compile` gives the classes without a file.
"""

import warnings
from pathlib import Path
from types import ModuleType

from cellgen.version import __version__

__all__ = ["SpecError", "SpecWarning", "__version__", "compile"]


class SpecWarning(UserWarning):
    """Something about a spec that is worth a look; it compiles."""


def compile(*, path: str | Path | None = None, text: str | None = None, stem: str = "spec") -> ModuleType:
    """The module of the classes that a spec describes, made in memory: `cellgen.compile(path="lstm.yaml").LSTM(128)`.

    path: of a spec, or the bare name of a shipped one. text: a spec itself, which may extend shipped ones; `stem` is
    then the name under which Keras saves its classes. The same spec twice gives the same module.

    Raises `SpecError`, which reads as `cellgen check` would print it; warnings are given as `SpecWarning`.
    """
    from cellgen.compiler import Spec
    from cellgen.diagnostics import SpecError, full
    from cellgen.output import module

    if (path is None) == (text is None):
        raise TypeError("compile() takes either path=... or text=...")
    try:
        spec = Spec.at(path) if text is None else Spec.of(text, stem)
        checked = spec.check()
        if wrong := [each for each in checked.diagnostics if each.severity == "error"]:
            raise SpecError(wrong)
        files = spec.build(tests=False)
    except SpecError as error:
        raise SpecError(error.diagnostics) from None
    for each in checked.diagnostics:
        if each.severity == "warning":
            warnings.warn("\n" + full(each), SpecWarning, stacklevel=2)
    return module(spec.stem, files[f"{spec.stem}.py"])


def __getattr__(name: str):
    if name == "SpecError":
        from cellgen.diagnostics import SpecError

        return SpecError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
