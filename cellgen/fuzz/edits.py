"""One edit that makes a valid spec invalid, and the line that a diagnostic must point to."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from cellgen.diagnostics import FORMATS, SpecError, render
from cellgen.fuzz.random_spec import Case
from cellgen.fuzz.trial import Failure, crash, spec_of, tail

OF_YAML = ("no colon", "a section that is a list", "a bracket of YAML")

EQUATION = re.compile(r"^  (\w+)((?:\s*:[^=]*)? = )(.+)$")


@dataclass(frozen=True)
class Edit:
    """kind: what was done. line: where, counted from 1; of what breaks the YAML, it may show in the next one."""

    kind: str
    case: Case
    line: int

    @property
    def lines(self) -> tuple[int, ...]:
        return (self.line, self.line + 1) if self.kind in OF_YAML else (self.line,)


def edit(case: Case, rng: Random) -> Edit:
    """One edit of the spec, drawn from those that it has a place for."""
    found = edits(case)
    kind = rng.choice(sorted({each.kind for each in found}))
    return rng.choice([each for each in found if each.kind == kind])


def edits(case: Case) -> list[Edit]:
    """Every edit that the spec has a place for."""
    lines, found = case.text.splitlines(), []
    for kind, index, new in _edits(lines):
        text = "\n".join([*lines[:index], *new, *lines[index + 1 :]]) + "\n"
        found.append(Edit(kind, replace(case, text=text), index + len(new)))
    return found


def refused(edit: Edit, folder: Path) -> tuple[Failure | None, tuple[str, ...]]:
    """What is wrong with the answer to an invalid spec, if anything is, and the codes that it got."""
    before = {path.name for path in folder.iterdir()}
    try:
        spec = spec_of(edit.case, folder)
        spec.build(tests=True)
        spec.check()
    except SpecError as error:
        found = error.diagnostics
        try:
            for format in FORMATS:
                render(found, format)
        except Exception as broken:
            return Failure(f"edited: a diagnostic cannot be shown: {crash(broken)}", tail(broken)), ()
    except Exception as error:
        return Failure(f"edited: {crash(error)}", tail(error)), ()
    else:
        return Failure(f"edited: {edit.kind}: it passes"), ()
    codes = tuple(sorted({each.code for each in found}))
    written = {path.name for path in folder.iterdir()} - before - {f"{stem}.yaml" for stem in edit.case.beside}
    if written:
        return Failure("edited: something is written", ", ".join(sorted(written))), codes
    name = f"{edit.case.stem}.yaml"
    marks = [label.span for each in found for label in (each.label, *each.context) if label.span.source.name == name]
    told = {row for span in marks for row in range(span.line, span.line + span.text.count("\n") + 1)}
    if not told & {*edit.lines}:
        told = ", ".join(f"{each.code} at {each.label.span.source.name}:{each.label.span.line}" for each in found)
        return Failure(
            f"edited: {edit.kind}: told elsewhere ({', '.join(codes)})", f"line {edit.line}, but {told}"
        ), codes
    return None, codes


Change = tuple[str, int, list[str]]  # the kind, which line, and the lines in its place


def _edits(lines: list[str]) -> Iterator[Change]:
    section = ""
    for index, line in enumerate(lines):
        if head := re.match(r"^(\w+):", line):
            section = head[1]
            yield from _heads(index, line, section)
            continue
        if section in ("equations", "wiring") and (match := EQUATION.match(line)):
            yield from ((kind, index, new) for kind, new in _equations(line, match, section))
        elif section == "laws":
            yield "a law on an unknown name", index, ["  qqq in [0, 1]"]
            yield "a law that is none", index, [re.split(" in | == | free | to ", line)[0]]
        elif section in ("params", "state", "norms", "options", "dims", "inputs") and re.match(r"^  \w+: ", line):
            yield from ((kind, index, new) for kind, new in _entries(line, section))
    yield "an unknown section", len(lines) - 1, [lines[-1], "colour: red"]


def _heads(index: int, line: str, section: str) -> Iterator[Change]:
    if section in ("cell", "stack"):
        yield "a class that is no name", index, [f"{section}: 3 cells"]
    if section in ("equations", "state"):
        yield "a section misspelt", index, [line.replace(section, section[:-1] + "x")]
    if section == "mask":
        yield "an unknown mask", index, ["mask: keep"]
    if section == "output":
        yield "an unknown output", index, ["output: qqq"]
    if line.endswith(":"):
        yield "a section that is a list", index, [line, "- one"]


def _equations(line: str, match: re.Match, section: str) -> Iterator[tuple[str, list[str]]]:
    name, middle, value = match.groups()
    lead = f"  {name}{middle}"
    if "affine(" in value:
        yield "affine of nothing", [f"{lead}affine()"]
        return
    yield "an unknown name", [f"{lead}{value} + qqq"]
    yield "an unknown function", [f"{lead}sigmoyd({value})"]
    yield "a bracket that is not closed", [f"{lead}tanh({value}"]
    yield "a bracket that closes nothing", [f"{lead}{value})"]
    yield "two signs", [f"{lead}{value} + * 2"]
    yield "no value", [f"{lead}"]
    yield "a comparison by itself", [f"{lead}({value}) > 0"]
    yield "too many arguments", [f"{lead}tanh({value}, {value})"]
    yield "a word of Python", [f"{lead}lambda: {value}"]
    yield "a call of a method", [f"{lead}({value}).numpy()"]
    yield "an import", [f"{lead}__import__('os').system('true')"]
    yield "a text", [f"{lead}'{name}'"]
    yield "a list", [f"{lead}[{value}]"]
    yield "a greek letter", [f"{lead}{value} + \u03b1"]
    yield "an unknown axis", [f"{lead}sum({value}, over=qqq)"]
    yield "an unknown label", [f"{lead}{value} + x.qqq"]
    yield "itself", [f"{lead}{value} + {name}"] if section == "equations" else [f"{lead}{value} + qqq"]
    yield "an unknown test", [f"{lead}({value}) if qqq else 0"]
    yield "a test without else", [f"{lead}({value}) if training"]
    yield "a floor division", [f"{lead}{value} // 2"]
    yield "two equations in a line", [f"{line}; qqq = 1"]
    yield "a name twice", [line, line]
    yield "a name of Python", [line, "  class = x"]
    yield "a value that nothing reads", [line, "  qqq = x"] if section == "equations" else [f"{lead}qqq"]
    yield "a view of other numbers", [f"  {name}: [7, 11, 13] = {value}"]
    yield "LaTeX", [f"{lead}\\sigma({value})"]
    yield "a huge number", [f"{lead}{value} + 1e999"]
    yield "two steps ago", [f"{lead}{value} + h[t-2]"]
    yield "no carried value", [f"{lead}{value} + x[t-1]"]


def _entries(line: str, section: str) -> Iterator[tuple[str, list[str]]]:
    name = line.split(":")[0].strip()
    yield "a key twice", [line, line]
    yield "no colon", [f"  {name}"]
    yield "a bracket of YAML", [f"  {name}: [units"]
    yield "an anchor", [f"  {name}: &a {line.split(': ', 1)[1]}"]
    match section:
        case "params":
            yield "an unknown initialiser", [f"  {name}: {{shape: [units], init: glorot}}"]
            yield "a weight that nothing reads", [line, "  qqq: [units]"]
            yield "an unknown key", [f"  {name}: {{shape: [units], frozen: true}}"]
            yield "a size of zero", [f"  {name}: [0]"]
        case "state":
            yield "a state that is never set", [line, "  qqq: [units]"]
            yield "an unknown first value", [f"  {name}: {{shape: [units], initial: qqq}}"]
            yield "values of three", [f"  {name}: {{shape: [units], values: [0, 1, 2]}}"]
        case "norms":
            yield "an unknown norm", [line.replace("kind: rms", "kind: batch").replace("kind: layer", "kind: batch")]
            yield "no epsilon", [re.sub(r", epsilon: [^,}]*", "", line)]
        case "options":
            yield "an option that nothing reads", [line, "  qqq: true"]
            yield "a default out of its range", [f"  {name}: {{default: 2.0, in: [0, 1]}}"]
        case "dims":
            yield "a negative size", [f"  {name}: -3"]
            yield "a dim that nothing reads", [line, "  qqq: required"]
        case "inputs":
            yield "a shape that is a number", [f"  {name}: 3.5"]
