"""What all generated cells read: the modules of `cellgen.runtime` one after another, as a file or in a cell's own."""

import ast
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

from cellgen.emit.records import CellView, RuntimeView
from cellgen.emit.rendering import layout

INTERFACE = 1  # of what cells read of it: where it changes, not only grows, the number does, and with it the file
RUNTIME = f"recurrent_{INTERFACE}"

MODULES = (
    *("revision", "arguments", "functions", "activations", "constructors", "arrays", "custom_gradient", "traces"),
    *("shares", "initial_values", "noise", "declarations", "masks", "affine_scan", "parallel", "chunks", "scan"),
    *("cell", "stack", "fused", "layer", "stack_layer"),
)
ABOUT = '''"""What the cells beside it have in common. Generated from `cellgen.runtime`: edit that, not this file.

The classes for Keras, the scan and its derivatives, arguments and the messages that refuse them, noise.
"""
'''


def runtime_view() -> RuntimeView:
    """What a cell says of it."""
    return RuntimeView(RUNTIME, int(re.search(r"^REVISION = (\d+)", _source("revision"), re.M)[1]))


@cache
def runtime_file() -> str:
    """The text of `RUNTIME`.py: the same for every cell."""
    imports, text = _parts(MODULES)
    return layout("\n".join([ABOUT, *_merged(imports), "", "keras = tf.keras", "", "", text]), RUNTIME)


def in_one_file(view: CellView) -> CellView:
    """The view of a cell that has in its own file what all share."""
    imports, text = _parts(MODULES[1:])  # a file is as new as itself
    own = ["from types import SimpleNamespace", f"from typing import {', '.join((*view.typing, 'NamedTuple'))}"]
    own += ["import math"] if view.math else []
    return replace(view, runtime=replace(view.runtime, imports=tuple(_merged([*imports, *own])), text=text))


@cache
def _parts(modules: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """What modules of it import, but for each other, and the modules one after another."""
    imports: list[str] = []
    bodies = []
    for name in modules:
        text = _source(name)
        head = [each for each in ast.parse(text).body if _is_head(each)]
        imports += [ast.unparse(each) for each in head[1:] if not _is_ours(each) and not _is_keras(each)]
        body = "\n".join(text.splitlines()[head[-1].end_lineno :]).strip("\n")
        about = ast.get_docstring(ast.parse(text)).splitlines()[0]
        bodies.append(f"# --- {name}: {about}\n\n\n{body}\n")
    return tuple(imports), "\n\n".join(bodies)


def _merged(imports: Iterable[str]) -> list[str]:
    """Imports as a file has them: each module once, those of the standard library, an empty line, TensorFlow."""
    whole, parts = set(), {}
    for each in imports:
        (node,) = ast.parse(each).body
        if isinstance(node, ast.ImportFrom):
            parts.setdefault(node.module, set()).update(ast.unparse(alias) for alias in node.names)
        else:
            whole.add(each)
    lines = [*sorted(whole), *(f"from {name} import {', '.join(sorted(parts[name]))}" for name in sorted(parts))]
    theirs = [each for each in lines if "tensorflow" in each]
    return [*(each for each in lines if each not in theirs), "", *theirs]


def defined_twice(text: str) -> list[str]:
    """The names that a module defines or imports more than once."""
    names = Counter(name for each in ast.parse(text).body for name in _defined(each))
    return [name for name, count in names.items() if count > 1]


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
        return [node.name]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [alias.asname or alias.name for alias in node.names]
    targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", ())
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _source(name: str) -> str:
    """The text of a module of the runtime, which is not imported: it would import TensorFlow."""
    return (Path(__file__).resolve().parents[1] / "runtime" / f"{name}.py").read_text(encoding="utf-8")


def _is_head(node: ast.stmt) -> bool:
    return isinstance(node, (ast.Import, ast.ImportFrom)) or _is_keras(node) or isinstance(node, ast.Expr)


def _is_ours(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and str(node.module).startswith("cellgen.")


def _is_keras(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and ast.unparse(node) == "keras = tf.keras"
