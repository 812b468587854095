"""Tree to `Document`: the right keys with the right kinds of value. Also the JSON Schema for editors."""

from pydantic import BaseModel, ValidationError

from cellgen.diagnostics import Report, closest
from cellgen.document import (
    Document,
    InputSection,
    MaskSection,
    NormSection,
    OptionSection,
    ParamSection,
    StateSection,
)
from cellgen.kinds import NAME, Key
from cellgen.load import Mapping, Scalar, Sequence, Tree
from cellgen.span import Span


def schema(tree: Mapping) -> Document:
    """The document of a tree without `extends`. Raises `SpecError` with every wrong key and kind (CG105 to CG108)."""
    report = Report()
    try:
        document = Document.model_validate(_plain(tree))
    except ValidationError as error:
        errors = error.errors()
        # a key written wrongly is not missing too
        meant = {(*each["loc"][:-1], _meant(each["loc"])) for each in errors if each["type"] == "extra_forbidden"}
        for each in errors:
            if each["type"] != "missing" or each["loc"] not in meant:
                _tell(each, tree, report)
    report.stop()
    version = document.language
    if version is not None and version.value != 1:
        report.add("CG106", f"this cellgen reads language 1, not {version.text}", version.span)
    if not document.state:
        report.add("CG107", "a recurrent cell has at least one state", tree["state"].span, help="`state: {h: units}`")
    report.stop()
    return document


def json_schema() -> dict:
    """The JSON Schema (2020-12) of a spec."""
    out = Document.model_json_schema(by_alias=True)
    out["properties"]["extends"] = {**NAME, "description": "start from another spec: its stem"}
    # a spec that extends another says only what differs
    required = out.pop("required")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **out,
        "anyOf": [{"required": ["extends"]}, {"required": required}],
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
    "state": "`state: {h: units}`",
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


def _tell(error: dict, tree: Mapping, report: Report) -> None:
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
        known, meant = _fields(error["loc"][:-1]), _meant(error["loc"])
        above = f" in `{'.'.join(path[:-1])}`" if path[:-1] else ""
        help = f"did you mean `{meant}`?" if meant else f"the keys are {', '.join(f'`{each}`' for each in known)}"
        if name.endswith(")"):
            help = 'a value with a comma in it needs quotes here, as in `init: "uniform(-1, 1)"`'
        report.add("CG105", f"unknown key `{name}`{above}", key.span, help=help)
    elif error["type"] == "missing":
        inside = f" in `{'.'.join(path)}`" if path else ""
        report.add("CG107", f"`{name}` is missing{inside}", _first_line(where), help=_EXAMPLES.get(name, ""))
    else:
        if isinstance(found := error.get("ctx", {}).get("at"), Scalar) and found.text:
            at = found.span
        section = path[-1] if path[-1] in _EXAMPLES else path[0]
        report.add(
            "CG108" if error["type"] == "many" else "CG106",
            f"`{'.'.join(path)}` {error['msg']}",
            at,
            help=_EXAMPLES.get(section, "") if len(path) < 3 else "",
        )


def _meant(loc: tuple) -> str:
    """The known key that is nearest to an unknown one, or an empty string."""
    section, name = _section(loc[:-1]), str(loc[-1])
    known = _fields(loc[:-1])
    return getattr(section, "named", {}).get(name) or closest(name, known) or ""


def _section(loc: tuple) -> type[BaseModel]:
    sections = {
        "options": OptionSection,
        "inputs": InputSection,
        "state": StateSection,
        "params": ParamSection,
        "norms": NormSection,
        "mask": MaskSection,
    }
    return sections.get(loc[0], Document) if loc else Document


def _fields(loc: tuple) -> list[str]:
    model = _section(loc)
    fields = [field.alias or name for name, field in model.model_fields.items()]
    return [*fields, "extends"] if model is Document else fields


def _first_line(tree: Tree) -> Span:
    span = tree.span
    stop = span.source.text.find("\n", span.start)
    return span.source.span(span.start, min(span.end, stop) if stop >= 0 else span.end)
