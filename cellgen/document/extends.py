"""Trees with `extends:` to one plain tree. What is written in the extending spec wins.

Sections merge by key; `key: null` deletes; a list is replaced whole. An equation for a name that exists replaces it in
its place; a new one goes immediately before the first equation that reads it, else last; `name = none` deletes one.
Of a loop, that is so inside it; a loop with an equation of an inherited one is that loop, counted anew; and a new
equation that reads what a loop counts by goes into that loop.
Laws are kept and added to (`laws: null` leaves out the inherited ones, a line `drop LAW` one). Every line keeps the
span it had in its own file.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from cellgen.diagnostics import Label, Report, Source, Span, nearest
from cellgen.ir import Ref
from cellgen.text import MAX_NAME, NAME, Indexed, Loop, Mapping, Scalar, Statement, Tree, equations, load, parts, read

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
    inherited = {statement.left for statement in old}
    for each in new:
        if each.value is None and each.left not in inherited:
            help = nearest(each.left, inherited) or f"the equations are {', '.join(each.left for each in old)}"
            report.add("CG110", f"there is no `{each.left}` to delete", each.name_span, help=help)
    report.stop()
    blocks, added, seen = _blocks(old), [], set()
    for block in _blocks(new):
        at = next((at for at, each in enumerate(blocks) if each.defines & block.defines - seen), None)
        if at is None:
            added.append(block)
        elif block.loop is not None and blocks[at].loop is None:  # what stood there is a loop now
            rest = [each for each in blocks[at + 1 :] if each.loop is not None or not each.defines & block.defines]
            blocks = [*blocks[:at], block, *rest]
        else:
            blocks[at] = blocks[at].merged(block)
        seen |= block.defines
    for block in reversed([each for each in added if each.loop is None]):
        at = next((at for at, each in enumerate(blocks) if each.counts(block) and each.reads(block.defines)), None)
        if at is not None:
            blocks[at] = blocks[at].merged(block)
            added.remove(block)
    lines = (line for block in _inserted(blocks, added) for line in block.lines())
    return _joined(over, tuple(lines))


def _inserted(blocks: "list[_Block]", added: "list[_Block]") -> "list[_Block]":
    """Each that is added before the first that reads it, else last; what is deleted is left out."""
    blocks = [block for block in blocks if any(each.value is not None for each in block.statements)]
    # last to first, so that a new equation finds the new ones that read it; and never past the next new one
    last = len(blocks)
    for block in reversed(added):
        readers = (index for index, each in enumerate(blocks) if each.reads(block.defines))
        last = min(last, next(readers, len(blocks)))
        blocks.insert(last, block)
    return blocks


@dataclass(frozen=True)
class _Block:
    """An equation by itself, or those of a loop."""

    loop: Loop | None
    statements: tuple[Statement, ...]

    @property
    def defines(self) -> set[str]:
        return {each.left for each in self.statements}

    def merged(self, over: "_Block") -> "_Block":
        """With the equations of another block in the places of those that have their names."""
        new = {each.left: each for each in reversed(over.statements)}
        kept = [new.pop(each.left, each) for each in self.statements]
        added = [each for each in over.statements if each not in kept]
        loop = over.loop or self.loop
        blocks = _inserted(*([_Block(loop, (each,)) for each in some] for some in (kept, added)))
        return _Block(loop, tuple(each for block in blocks for each in block.statements))

    def counts(self, other: "_Block") -> bool:
        """Whether it is a loop, and the equation of another block reads what it counts by."""
        return self.loop is not None and any(_counts(each.value, self.loop.name) for each in other.statements)

    def reads(self, names: set[str]) -> bool:
        return any(_reads(each.value, name.removesuffix("[0]")) for each in self.statements for name in names)

    def lines(self) -> Iterator[tuple[str, Span]]:
        """Its physical lines; those inside a loop further right."""
        if self.loop is None:
            yield from self.statements[0].line.pieces
            return
        yield from self.loop.line.pieces
        for text, span in (piece for each in self.statements for piece in each.line.pieces):
            exact = span.end - span.start == len(text)
            yield f"  {text}", replace(span, start=max(0, span.start - 2)) if exact else span


def _blocks(statements: tuple[Statement, ...]) -> list[_Block]:
    found: list[_Block] = []
    for each in statements:
        if found and each.loop is not None and found[-1].loop is each.loop:
            found[-1] = replace(found[-1], statements=(*found[-1].statements, each))
        else:
            found.append(_Block(each.loop, (each,)))
    return found


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


def _joined(like: Scalar, lines: tuple) -> Scalar:
    text = "".join(f"{line}\n" for line, _ in lines)
    return Scalar(text, text, lines, like.span)


def _reads(node, name: str) -> bool:
    if isinstance(node, Ref):
        return node.name == name and node.ago == 0
    return any(_reads(part, name) for part in parts(node))


def _counts(node, name: str) -> bool:
    if isinstance(node, Indexed) and node.name == name or isinstance(node, Ref) and node.name == name:
        return True
    return any(_counts(part, name) for part in parts(node))


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
