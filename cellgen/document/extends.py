"""Trees with `extends:` to one plain tree. What is written in the extending spec wins.

Sections merge by key; `key: null` deletes; a list is replaced whole. An equation for a name that exists replaces it in
its place; a new one goes immediately before the first equation that reads it, else last; `name = none` deletes one.
Laws are kept and added to (`laws: null` leaves out the inherited ones, a line `drop LAW` one). Every line keeps the
span it had in its own file.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cellgen.diagnostics import Label, Report, Source, nearest
from cellgen.ir import Ref
from cellgen.text import MAX_NAME, MAX_STATEMENTS, NAME, Mapping, Scalar, Tree, equations, lines, load, parts, read

MAX_DEPTH = 16  # specs in a chain
BLOCKS = ("equations", "laws", "about", "wiring")  # texts of several lines


@dataclass(frozen=True)
class Library:
    """Where specs are found by stem: beside the spec that asks, then among the shipped ones."""

    folders: tuple[Path, ...]
    texts: dict[Path, Source] = field(default_factory=dict, compare=False, repr=False)  # what was read, once

    def find(self, stem: str) -> Path | None:
        """The first file of this name, also where it turns out to be none that can be read."""
        if len(stem) > MAX_NAME:
            return None
        return next(self._found(stem), None)

    def _found(self, stem: str) -> Iterator[Path]:
        return (path for folder in self.folders if os.path.lexists(path := folder / f"{stem}.yaml"))

    def hides(self, stem: str) -> bool:
        """Whether what is found stands before another spec of this name, which may be meant."""
        return len(set(map(os.path.realpath, self._found(stem)))) > 1

    def read(self, path: Path) -> Source:
        """A text as it was when it was first asked for: all of a build is of one moment. Raises `SpecError`."""
        if path not in self.texts:
            self.texts[path] = read(path)
        return self.texts[path]

    def below(self, path: Path) -> "Library":
        """What a spec at a path finds."""
        return Library((path.parent, *self.folders), self.texts)

    @property
    def stems(self) -> tuple[str, ...]:
        return tuple(
            sorted({path.stem for folder in self.folders if folder.is_dir() for path in folder.glob("*.yaml")})
        )


def extend(tree: Mapping, stem: str, library: Library) -> Mapping:
    """The tree of a spec, merged with what it extends. Raises `SpecError` (CG110, CG111 and those of `load`)."""
    return _extended(tree, [(stem, None)], library)


def _extended(tree: Mapping, chain: list, library: Library) -> Mapping:
    if "extends" not in tree:
        return tree
    report = Report()
    link = tree["extends"]
    stem = link.value if isinstance(link, Scalar) else None
    if not (isinstance(stem, str) and NAME.fullmatch(stem)):
        report.add(
            "CG110",
            "`extends` takes the stem of a spec",
            link.span,
            help="write `extends: lstm`, without a path or an ending",
        )
        report.stop()
    names = [name for name, _ in chain]
    if stem in names:
        loop = names[names.index(stem) :]
        hidden = next((name for name in loop if library.hides(name)), None)
        report.add(
            "CG111",
            f"specs extend each other in a circle: {' -> '.join([*loop, stem])}"
            if loop[1:]
            else f"`{stem}` extends itself",
            link.span,
            context=[Label(span, "on the way here") for _, span in chain[1:]],
            help=f"the shipped `{hidden}` is hidden by the file of this name beside it: call that file something else"
            if hidden
            else "one of them must stand on its own",
        )
    elif len(chain) > MAX_DEPTH:
        report.add("CG108", f"more than {MAX_DEPTH} specs extend each other", link.span)
    report.stop()
    path = library.find(stem)
    if path is None:
        report.add(
            "CG110",
            f"no spec `{stem}` to extend",
            link.span,
            help=nearest(stem, library.stems) or f"there are {', '.join(library.stems)}",
        )
        report.stop()
    written = load(library.read(path))
    if "stack" in written:
        report.add("CG110", f"`{stem}` is a stack, and only cells are extended", link.span, help="extend its cell")
        report.stop()
    base = _extended(written, [*chain, (stem, link.span)], library.below(path))
    return _merged(base, tree, top=True)


def _merged(base: Mapping, over: Mapping, top: bool = False) -> Mapping:
    items = {name.value: (name, value) for name, value in base.items}
    for name, value in over.items:
        key = name.value
        if top and key == "extends":
            continue
        old = items.get(key, (None, None))[1]
        if isinstance(value, Scalar) and value.value is None:
            items.pop(key, None)
        elif top and key == "equations" and _is_text(old) and _is_text(value):
            items[key] = (name, _equations(old, value))
        elif top and key == "laws" and _is_text(old) and _is_text(value):
            items[key] = (name, _laws(old, value))
        elif isinstance(old, Mapping) and isinstance(value, Mapping):
            items[key] = (name, _merged(old, value))
        else:
            items[key] = (name, value)
    return Mapping(tuple(items.values()), over.span)


def _is_text(tree: Tree | None) -> bool:
    return isinstance(tree, Scalar) and isinstance(tree.value, str)


def _equations(base: Scalar, over: Scalar) -> Scalar:
    """The statements of both, those of `over` in the places the rule gives them. Raises `SpecError`."""
    report = Report()
    old, new = (equations(text, report) for text in (base, over))
    report.stop()
    inherited = {statement.name for statement in old}
    replacing, added = {}, []
    for statement, block in zip(new, _blocks(over), strict=True):
        if statement.name in inherited and statement.name not in replacing:
            replacing[statement.name] = (statement, block)
        elif statement.value is None:
            help = nearest(statement.name, inherited) or f"the equations are {', '.join(each.name for each in old)}"
            report.add("CG110", f"there is no `{statement.name}` to delete", statement.name_span, help=help)
        else:
            added.append((statement, block))
    report.stop()
    blocks = [
        replacing.get(statement.name, (statement, block)) for statement, block in zip(old, _blocks(base), strict=True)
    ]
    blocks = [(statement, block) for statement, block in blocks if statement.value is not None]
    # last to first, so that a new equation finds the new ones that read it; and never past the next new one
    last = len(blocks)
    for statement, block in reversed(added):
        readers = (index for index, (each, _) in enumerate(blocks) if _reads(each.value, statement.name))
        last = min(last, next(readers, len(blocks)))
        blocks.insert(last, (statement, block))
    return _joined(over, tuple(line for _, block in blocks for line in block))


def _laws(base: Scalar, over: Scalar) -> Scalar:
    """The laws of both, without those that a line `drop LAW` of `over` names. Raises `SpecError`."""
    report, kept, added = Report(), list(base.lines), []
    for line, span in over.lines:
        law = _law(line)
        if not law.startswith("drop "):
            added.append((line, span))
            continue
        law = law.removeprefix("drop ")
        if law not in map(_law, (text for text, _ in kept)):
            help = nearest(law, [text for text, _ in kept])
            report.add("CG110", f"there is no law `{law}` to drop", span, help=help)
        kept = [each for each in kept if _law(each[0]) != law]
    report.stop()
    return _joined(over, (*kept, *added))


def _law(line: str) -> str:
    return " ".join(line.split("#", 1)[0].split())


def _blocks(scalar: Scalar) -> list[tuple]:
    """The physical lines of each statement."""
    return [line.pieces for line in lines(scalar, Report(), "equation", MAX_STATEMENTS)]


def _joined(like: Scalar, lines: tuple) -> Scalar:
    text = "".join(f"{line}\n" for line, _ in lines)
    return Scalar(text, text, lines, like.span)


def _reads(node, name: str) -> bool:
    if isinstance(node, Ref):
        return node.name == name and node.ago == 0
    return any(_reads(part, name) for part in parts(node))


def expand(tree: Mapping) -> str:
    """The tree as a plain spec, in YAML."""
    return "\n".join(_lines(tree)) + "\n"


def _lines(tree: Mapping) -> Iterator[str]:
    for name, value in tree.items:
        key = name.value
        if _is_text(value) and key in BLOCKS and (len(value.lines) > 1 or "\n" in value.text):
            body = value.text.rstrip("\n").split("\n") if key == "about" else [line for line, _ in value.lines]
            yield f"{key}: |"
            yield from (f"  {line}".rstrip() for line in body)
        elif isinstance(value, Mapping) and any(_is_text(part) and each.value in BLOCKS for each, part in value.items):
            yield f"{key}:"
            yield from (f"  {line}" for line in _lines(value))
        elif isinstance(value, Mapping) and any(not isinstance(part, Scalar) for _, part in value.items):
            yield f"{key}:"
            yield from (f"  {each.value}: {_flow(part)}" for each, part in value.items)
        else:
            yield f"{key}: {_flow(value)}"


def _flow(tree: Tree) -> str:
    if isinstance(tree, Mapping):
        return "{" + ", ".join(f"{key.value}: {_flow(value)}" for key, value in tree.items) + "}"
    if not isinstance(tree, Scalar):
        return "[" + ", ".join(_flow(item) for item in tree.items) + "]"
    if not isinstance(tree.value, str):
        return tree.text
    if NAME.fullmatch(tree.value) and tree.value not in (
        "true",
        "false",
        "null",
        "True",
        "False",
        "Null",
        "TRUE",
        "FALSE",
        "NULL",
    ):
        return tree.value
    if all(part.isidentifier() or part.isdecimal() for part in tree.value.split("*")) and "*" in tree.value:
        return tree.value
    escaped = tree.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'
