"""Tree to `Document`: the right keys with the right kinds of value. Also the JSON Schema for editors."""

from pydantic import BaseModel, ValidationError

from cellgen.diagnostics import Report, Span, closest
from cellgen.document.cell_document import (
    Document,
    InputSection,
    MaskSection,
    NormSection,
    OptionSection,
    ParamSection,
    StateSection,
)
from cellgen.document.kinds import NAME, Key
from cellgen.document.misplaced import belongs
from cellgen.document.stack_document import ReadoutSection, StackDocument
from cellgen.text import Mapping, Scalar, Sequence, Tree


def schema(tree: Mapping) -> Document:
    """The document of a tree without `extends`. Raises `SpecError` with every wrong key and kind (CG105 to CG108)."""
    report = Report()
    document = _read(Document, tree, report)
    if not document.state:
        report.add("CG107", "a recurrent cell has at least one state", tree["state"].span, help="`state: {h: units}`")
    report.stop()
    return document


def stack_schema(tree: Mapping) -> StackDocument:
    """The same for the spec of a stack."""
    return _read(StackDocument, tree, Report())


def _read(model: type[BaseModel], tree: Mapping, report: Report):
    try:
        document = model.model_validate(_plain(tree))
    except ValidationError as error:
        errors = error.errors()
        # a key written wrongly is not missing too
        wrong = [each for each in errors if each["type"] == "extra_forbidden"]
        meant = {(*each["loc"][:-1], _meant(each["loc"], model)) for each in wrong}
        for each in errors:
            if each["type"] != "missing" or each["loc"] not in meant:
                _tell(each, tree, report, model)
    report.stop()
    version = document.language
    if version is not None and version.value != 1:
        report.add("CG106", f"this cellgen reads language 1, not {version.text}", version.span)
    report.stop()
    return document


def json_schema() -> dict:
    """The JSON Schema (2020-12) of a spec."""
    out, stack = (model.model_json_schema(by_alias=True) for model in (Document, StackDocument))
    out["properties"]["extends"] = {**NAME, "description": "start from another spec: its stem"}
    # a spec that extends another says only what differs
    required = out.pop("required")
    definitions = {**out.pop("$defs"), **stack.pop("$defs")}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "cellgen",
        "description": "The spec of a recurrent cell, or of a stack of layers.",
        "type": "object",
        "if": {"required": ["stack"]},
        "then": stack,
        "else": {**out, "anyOf": [{"required": ["extends"]}, {"required": required}]},
        "$defs": definitions,
    }


def _plain(tree: Tree):
    if isinstance(tree, Mapping):
        out = {}
        for name, value in tree.items:
            key = Key(name.value)
            key.span = name.span
            out[key] = _plain(value)
        return out
    if isinstance(tree, Sequence):
        return [_plain(item) for item in tree.items]
    return tree


_EXAMPLES = {
    "equations": "write the equations under `equations: |`, one a line",
    "cell": "`cell: MyCell`",
    "layers": "`layers: units`: the constructor takes `units=[64, 64]`",
    "wiring": "write the wiring under `wiring: |`, one port a line",
    "readout": "`readout: {equations: ...}`",
    "state": "`state: {h: units}`",
    "family": "`family: lstm`",
    "shape": "`shape: [input, units]`",
    "init": "`init: glorot_uniform`",
    "over": "`over: [units]`",
    "epsilon": "`epsilon: 1e-5`",
    "kind": "`kind: layer`, `kind: rms`",
    "params": "`W: {shape: [input, units], init: glorot_uniform}`",
    "gates": "`gates: [i, f, g, o]`",
    "options": "`use_bias: true`",
    "inputs": "`inputs: {x: [input]}`",
    "dims": "`dims: {input: inferred, units: required}`",
    "norms": "`ln: {kind: layer, over: [units], epsilon: 1e-5, scale: ones, shift: zeros}`",
}


def _tell(error: dict, tree: Mapping, report: Report, model: type[BaseModel]) -> None:
    """One of pydantic's errors, at its place in the file."""
    where, path, key = tree, [], None
    for step in error["loc"]:
        if isinstance(where, Mapping) and step in where:
            key = next(name for name, _ in where.items if name.value == step)
            where = where[step]
        elif isinstance(where, Sequence) and isinstance(step, int) and step < len(where.items):
            where = where.items[step]
        else:
            continue
        path.append(str(step))
    name = str(error["loc"][-1])
    at = where.span if where.span.text.strip() or key is None else key.span  # nothing stands there: its key
    if error["type"] == "extra_forbidden":
        known, meant = _fields(error["loc"][:-1], model), _meant(error["loc"], model)
        above = f" in `{'.'.join(path[:-1])}`" if path[:-1] else ""
        if name.endswith(")"):
            help = 'a value with a comma in it needs quotes here, as in `init: "uniform(-1, 1)"`'
        elif meant:
            help = f"did you mean `{meant}`?"
        else:
            help = belongs(name, where, len(path) == 1) or f"the keys are {', '.join(f'`{each}`' for each in known)}"
        report.add("CG105", f"unknown key `{name}`{above}", key.span, help=help)
    elif error["type"] == "missing":
        inside = f" in `{'.'.join(path)}`" if path else ""
        report.add("CG107", f"`{name}` is missing{inside}", _first_line(where), help=_EXAMPLES.get(name, ""))
    else:
        if isinstance(found := error.get("ctx", {}).get("at"), Scalar) and found.text:
            at = found.span
        section = path[-1] if path[-1] in _EXAMPLES else path[0]
        help = error.get("ctx", {}).get("help") or (_EXAMPLES.get(section, "") if len(path) < 3 else "")
        report.add(
            "CG108" if error["type"] == "many" else "CG106",
            f"`{'.'.join(path)}` {error['msg']}",
            at,
            help=help,
        )


def _meant(loc: tuple, model: type[BaseModel]) -> str:
    """The known key that is nearest to an unknown one, or an empty string."""
    section, name = _section(loc[:-1], model), str(loc[-1])
    known = _fields(loc[:-1], model)
    return getattr(section, "named", {}).get(name) or closest(name, known) or ""


def _section(loc: tuple, model: type[BaseModel]) -> type[BaseModel]:
    sections = {
        "options": OptionSection,
        "inputs": InputSection,
        "state": StateSection,
        "params": ParamSection,
        "norms": NormSection,
        "mask": MaskSection,
        "readout": ReadoutSection,
    }
    if loc[:1] == ("readout",) and len(loc) > 1:
        loc = loc[1:]
    return sections.get(loc[0], model) if loc else model


def _fields(loc: tuple, model: type[BaseModel]) -> list[str]:
    section = _section(loc, model)
    fields = [field.alias or name for name, field in section.model_fields.items()]
    return [*fields, "extends"] if section is Document else fields


def _first_line(tree: Tree) -> Span:
    span = tree.span
    stop = span.source.text.find("\n", span.start)
    return span.source.span(span.start, min(span.end, stop) if stop >= 0 else span.end)
