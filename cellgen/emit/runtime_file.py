"""What all generated cells read, as one file beside them: the modules of `cellgen.runtime`, one after another."""

import ast
import re
from functools import cache
from pathlib import Path

from cellgen.emit.records import RuntimeView
from cellgen.emit.rendering import layout

INTERFACE = 1  # of what cells read of it: where it changes, not only grows, the number does, and with it the file
RUNTIME = f"recurrent_{INTERFACE}"

MODULES = ("revision", "arguments", "arrays", "derivatives", "traces", "noise", "chunks", "scan")
ABOUT = '''"""What the cells beside it have in common. Generated from `cellgen.runtime`: edit that, not this file.

The scan and its derivatives, arguments and the messages that refuse them, noise.
"""
'''


def runtime_view() -> RuntimeView:
    """What a cell says of it."""
    return RuntimeView(RUNTIME, int(re.search(r"^REVISION = (\d+)", _source("revision"), re.M)[1]))


@cache
def runtime_file() -> str:
    """The text of `RUNTIME`.py: the same for every cell."""
    imports: dict[str, None] = {}
    bodies = []
    for name in MODULES:
        text = _source(name)
        head = [each for each in ast.parse(text).body if _is_head(each)]
        imports |= {ast.unparse(each): None for each in head[1:] if not _is_ours(each) and not _is_keras(each)}
        body = "\n".join(text.splitlines()[head[-1].end_lineno :]).strip("\n")
        about = ast.get_docstring(ast.parse(text)).splitlines()[0]
        bodies.append(f"# --- {name}: {about}\n\n\n{body}\n")
    ordered = sorted(imports, key=lambda each: ("tensorflow" in each, each.startswith("from"), each))
    return layout("\n".join([ABOUT, *ordered, "", "keras = tf.keras", "", "", "\n\n".join(bodies)]), RUNTIME)


def _source(name: str) -> str:
    """The text of a module of the runtime, which is not imported: it would import TensorFlow."""
    return (Path(__file__).resolve().parents[1] / "runtime" / f"{name}.py").read_text(encoding="utf-8")


def _is_head(node: ast.stmt) -> bool:
    return isinstance(node, (ast.Import, ast.ImportFrom)) or _is_keras(node) or isinstance(node, ast.Expr)


def _is_ours(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and str(node.module).startswith("cellgen.")


def _is_keras(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and ast.unparse(node) == "keras = tf.keras"
