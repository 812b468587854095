"""A spec that fails, made smaller as long as it fails in the same way.

It works on the text: sections, lines and expressions are left out, an expression becomes a part of itself, a name what
it stands for. What nothing reads any more goes too. A step that makes no spec is simply one that fails otherwise.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from cellgen.fuzz.random_spec import Case

MAX_TRIES = 400

PLAIN = ("dims", "axes", "options", "inputs", "params", "norms")
EMPTY = re.compile(rf"^({'|'.join(PLAIN)}|laws):( \|)?$")
HEADER = re.compile(r"^(\w+):")
ENTRY = re.compile(r"^  (\w+):")
EQUATION = re.compile(r"^  (\w+)(\s*:[^=]*)? = (.*)$")


def shrink(case: Case, same: Callable[[Case], bool], tries: int = MAX_TRIES) -> Case:
    """The smallest case that was found and of which `same` holds, as it does of the given one."""
    if "whole" in case.beside:
        alone = Case(case.beside["whole"], case.stem)
        case = alone if same(alone) else case
    tried: set[Case | str] = set()
    left = iter(range(tries))
    progress = True
    while progress:
        progress = False
        for smaller in _smaller(case):
            key = repr((smaller.text, sorted(smaller.beside.items())))
            if key in tried or _size(smaller) >= _size(case):
                continue
            tried.add(key)
            if next(left, None) is None:
                return case
            if same(smaller):
                case, progress = smaller, True
                break
    return case


def _size(case: Case) -> tuple[int, int]:
    texts = [case.text, *case.beside.values()]
    return sum(len(text.splitlines()) for text in texts), sum(map(len, texts))


def _smaller(case: Case) -> Iterator[Case]:
    for text in smaller_texts(case.text):
        yield replace(case, text=text)
    for stem, inner in case.beside.items():
        for text in smaller_texts(inner):
            yield replace(case, beside={**case.beside, stem: text})


def smaller_texts(text: str) -> Iterator[str]:
    """Texts with less in them, the boldest steps first."""
    lines = text.splitlines()
    heads = [index for index, line in enumerate(lines) if HEADER.match(line)]
    for start, end in zip(heads, [*heads[1:], len(lines)]):  # a section
        name = HEADER.match(lines[start])[1]
        if name not in ("cell", "equations", "state", "stack", "layers", "dims", "extends"):
            yield pruned([*lines[:start], *lines[end:]])
    for index, line in enumerate(lines):  # a line
        if line.startswith("  "):
            yield pruned([*lines[:index], *lines[index + 1 :]])
    equations = {match[1]: (index, match) for index, line in enumerate(lines) if (match := EQUATION.match(line))}
    for name, (index, match) in equations.items():  # a value instead of its name, and its line left out
        rest = [*lines[:index], *lines[index + 1 :]]
        for value in (_operand(match[3]), "x", "h[t-1]", "1"):
            put = [re.sub(rf"(?<![\w.]){name}\b(?!\[)(?=[^:=]*$)", lambda _, v=value: v, line) if at >= index else line
                   for at, line in enumerate(rest)]  # fmt: skip
            if put != rest:
                yield pruned(put)
    for index, match in equations.values():  # a part of an expression
        for value in parts_of(match[3]):
            yield pruned([*lines[:index], f"  {match[1]}{match[2] or ''} = {value}", *lines[index + 1 :]])
    for index, line in enumerate(lines):  # a short form
        if short := re.match(r"^(  \w+: )\{shape: (\[[^\]]*\])[^{}]*\}$", line):
            yield pruned([*lines[:index], short[1] + short[2], *lines[index + 1 :]])


def parts_of(text: str) -> Iterator[str]:
    """The expression with one of its parts left out, the largest first."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        return
    source = text.strip()
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.expr) and not _inside_index(tree, node)]
    for node in sorted(nodes, key=lambda node: node.col_offset - node.end_col_offset):
        before, after = source[: node.col_offset], source[node.end_col_offset :]
        own = source[node.col_offset : node.end_col_offset]
        for child in _operands(node):
            inner = _operand(source[child.col_offset : child.end_col_offset])
            yield _tidy(f"{before}{inner}{after}")
        if not isinstance(node, (ast.Name, ast.Constant)) or own not in ("1", "x"):
            yield f"{before}1{after}"


def _operand(text: str) -> str:
    """In parentheses, unless it binds tightly."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        return text
    return f"({text})" if isinstance(tree, (ast.BinOp, ast.UnaryOp, ast.IfExp, ast.Compare)) else text


def _operands(node: ast.expr) -> list[ast.expr]:
    match node:
        case ast.BinOp(left, _, right):
            return [left, right]
        case ast.UnaryOp(operand=operand):
            return [operand]
        case ast.Call(args=args):
            return args
        case ast.IfExp(body=a, orelse=b):
            return [a, b]
    return []


def _inside_index(tree: ast.expr, node: ast.expr) -> bool:
    """Whether it stands in brackets, or is the test of a choice."""
    for each in ast.walk(tree):
        inner = each.slice if isinstance(each, ast.Subscript) else each.test if isinstance(each, ast.IfExp) else None
        if inner is not None and any(below is node for below in ast.walk(inner)):
            return True
        if isinstance(each, (ast.Subscript, ast.Attribute)) and each.value is node:
            return True
        if isinstance(each, ast.Call) and each.func is node:
            return True
    return False


def _tidy(text: str) -> str:
    """Without parentheses around all, or around what stands in some already."""
    while text.startswith("(") and text.endswith(")") and _closes(text) == len(text) - 1:
        text = text[1:-1]
    return re.sub(r"\((\([^()]*\))\)", r"\1", text)


def _closes(text: str) -> int:
    depth = 0
    for index, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth == 0:
            return index
    return -1


def pruned(lines: list[str]) -> str:
    """The text without what nothing in it reads: values, weights, options, norms, dims, axes, empty sections."""
    before = None
    while before != lines:
        before = lines
        lines = _unread(lines)
    return "\n".join(lines) + "\n"


def _unread(lines: list[str]) -> list[str]:
    section, kept = "", []
    states = _names(lines, "state")
    output = next((line.split(":")[1].strip() for line in lines if line.startswith("output:")), "")
    for index, line in enumerate(lines):
        if header := HEADER.match(line):
            section = header[1]
        entry = ENTRY.match(line) if section in PLAIN else EQUATION.match(line) if section == "equations" else None
        if entry and not (section == "equations" and entry[1] in (*states, output)):
            rest = [*lines[:index], *lines[index + 1 :]] if section in PLAIN else lines[index + 1 :]
            if not any(re.search(rf"\b{entry[1]}\b", each) for each in rest):
                continue
        kept.append(line)
    return [
        line
        for index, line in enumerate(kept)
        if not (re.match(EMPTY, line) and not "".join(kept[index + 1 : index + 2]).startswith("  "))
    ]


def _names(lines: list[str], wanted: str) -> list[str]:
    section, names = "", []
    for line in lines:
        if header := HEADER.match(line):
            section = header[1]
        elif section == wanted and (entry := ENTRY.match(line)):
            names.append(entry[1])
    return names
