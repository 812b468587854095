"""Generated text to a module in memory, for notebooks. Importing it imports TensorFlow."""

import linecache
import sys
from hashlib import sha256
from importlib.abc import ExecutionLoader
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from types import ModuleType

RUNTIME = "cellgen.runtime"


class _Text(ExecutionLoader):
    """The text of one module, for the import system and for those who ask a module for its source."""

    def __init__(self, filename: str, text: str):
        self._filename, self._text = filename, text

    def get_filename(self, fullname: str) -> str:
        return self._filename

    def get_source(self, fullname: str) -> str:
        return self._text


def module(stem: str, text: str) -> ModuleType:
    """The module of a generated text. The same text twice is one module; another text is another.

    Tracebacks, `inspect.getsource` and a debugger show the text.
    """
    own = f"compiled_{stem}_{sha256(text.encode()).hexdigest()[:8]}"
    name = f"{RUNTIME}.{own}"  # it imports what all cells share from the package that it is in
    if name in sys.modules:
        return sys.modules[name]
    filename = f"<cellgen_{own}>"
    out = module_from_spec(ModuleSpec(name, _Text(filename, text), origin=filename))
    out.__file__ = filename
    # no time of change: linecache then never looks for a file
    linecache.cache[filename] = len(text), None, text.splitlines(keepends=True), filename
    sys.modules[name] = out
    try:
        out.__loader__.exec_module(out)
    except BaseException:
        del sys.modules[name]
        raise
    return out
