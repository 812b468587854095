"""Tree to `Document`: the right keys with the right kinds of value. Also the JSON Schema for editors.

The models say what a spec may hold; pydantic reads them twice, once to check a tree and once to print the schema.
Leaves stay `Scalar`s, so that every later stage knows where each value stands.
"""

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError

from cellgen.diagnostics import Report, closest
from cellgen.load import Mapping, Scalar, Sequence, Tree
from cellgen.span import Span

MAX_ITEMS = 256  # of a section


class Key(str):
    """A key of the spec that knows where it stands."""

    __slots__ = ("span",)
    span: Span


def _wrong(wanted: str, value: Any) -> PydanticCustomError:
    came = (
        "a mapping"
        if isinstance(value, dict)
        else "a list"
        if isinstance(value, list)
        else "nothing"
        if isinstance(value, Scalar) and value.value is None
        else f"{value.text}"
        if isinstance(value, Scalar) and isinstance(value.value, bool)
        else "a number"
        if isinstance(value, Scalar) and isinstance(value.value, (int, float))
        else "a text"
    )
    return PydanticCustomError("kind", "takes {wanted}, not {came}", {"wanted": wanted, "came": came, "at": value})


def _leaf(wanted: str, accepts, schema: dict):
    def check(value):
        if not (isinstance(value, Scalar) and accepts(value.value)):
            raise _wrong(wanted, value)
        return value

    return Annotated[Any, BeforeValidator(check), WithJsonSchema({**schema, "description": wanted})]


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


NAME = {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]*$"}
TEXT = {"type": "string"}
SIZE = {"type": ["string", "integer"]}

Text = _leaf("a text", lambda value: isinstance(value, (str, int, float)) and not isinstance(value, bool), TEXT)
Lines = _leaf("lines of text under `|`", lambda value: isinstance(value, str), TEXT)
Name = _leaf("a name", lambda value: isinstance(value, str), NAME)
Flag = _leaf("true or false", lambda value: isinstance(value, bool), {"type": "boolean"})
Amount = _leaf("a number", _is_number, {"type": "number"})
Value = _leaf(
    "true, false, a number, a word or none", lambda value: value is not None, {"type": ["boolean", "number", "string"]}
)
Size = _leaf(
    "`inferred`, `required`, `optional`, a positive integer, or another dim",
    lambda value: isinstance(value, str) or isinstance(value, int) and not isinstance(value, bool),
    SIZE,
)
Axis = _leaf(
    "a dim, a positive integer, or a product of them",
    lambda value: isinstance(value, str) or isinstance(value, int) and not isinstance(value, bool),
    SIZE,
)
Init = _leaf(
    "an initialiser: a name such as `glorot_uniform`, or a number",
    lambda value: isinstance(value, str) or _is_number(value),
    {"type": ["string", "number"]},
)
Start = _leaf(
    "a number or a parameter's name",
    lambda value: isinstance(value, str) or _is_number(value),
    {"type": ["string", "number"]},
)
Version = _leaf("1", lambda value: isinstance(value, int) and not isinstance(value, bool), {"const": 1})


def _short(key: str, kinds: tuple[type, ...]):
    """A shorthand: a value of these kinds stands for a mapping with this one key."""

    def spell(value):
        if not isinstance(value, kinds):
            return value
        name = Key(key)
        name.span = getattr(value, "span", None)
        return {name: value}

    return BeforeValidator(spell)


def _list(wanted: str):
    def check(value):
        if not isinstance(value, list):
            raise _wrong(wanted, value)
        return value

    return BeforeValidator(check)


def _axes(value):
    return [value] if isinstance(value, Scalar) else value


Shape = Annotated[list[Axis], _list("a list of dims such as `[input, gates*units]`"), BeforeValidator(_axes)]
Words = Annotated[list[Name], _list("a list of words")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def _table(value):
    if isinstance(value, Scalar) and value.value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong("a mapping of names", value)
    if len(value) > MAX_ITEMS:
        raise PydanticCustomError("many", "holds more than {most} names", {"most": MAX_ITEMS})
    return value


def _mapping(wanted: str):
    def check(value):
        if not isinstance(value, dict):
            raise _wrong(wanted, value)
        return value

    return BeforeValidator(check)


class _NameKey:
    """A dict's key: kept as it is, with its span."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source, handler):
        from pydantic_core import core_schema

        return core_schema.is_instance_schema(Key)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema, handler):
        return NAME


class OptionSection(_Section):
    """`true`, `1.0`, `none`, or a mapping: `{one_of: [blend, select]}`, `{default: 1.0, in: [0, 1]}`."""

    default: Value | None = Field(None, description="the value when the argument is not given")
    one_of: Annotated[Any, WithJsonSchema({"oneOf": [{"const": "activations"}, {"type": "array", "items": NAME}]})] = (
        None
    )
    range: Annotated[list[Amount], _list("`[low, high]`")] | None = Field(
        None, alias="in", description="the values a number may have"
    )
    scheduled: Flag | None = Field(None, description="settable while training, never trained")


class InputSection(_Section):
    """`[input]`, or a mapping."""

    shape: Shape
    values: Annotated[list[Amount], _list("`[0, 1]`")] | None = Field(
        None, description="`[0, 1]`: the values are 0 or 1"
    )
    default: Amount | None = None
    optional: Flag | None = None


class StateSection(_Section):
    """`units`, `[units]`, or a mapping."""

    shape: Shape
    values: Annotated[list[Amount], _list("`[0, 1]`")] | None = Field(
        None, description="`[0, 1]`: the values are 0 or 1"
    )
    initial: Start | None = Field(None, description="the value before the first step; zeros if not said")


class ParamSection(_Section):
    """A trained weight."""

    shape: Shape
    init: Annotated[
        dict[_NameKey, Init],
        _mapping("an initialiser, or a mapping with one for each label"),
        _short("else", (Scalar,)),
        WithJsonSchema({"oneOf": [{"type": ["string", "number"]}, {"type": "object"}]}),
    ] = Field(description="an initialiser of Keras, a number, or one for each label and `else`")


class NormSection(_Section):
    """A norm with a stated span: `ln(v)` in an equation."""

    kind: Annotated[Name, WithJsonSchema({"enum": ["layer", "rms"]})]
    over: Shape
    epsilon: Start = Field(description="a number or an option")
    scale: Init | None = None
    shift: Init | None = None

    # what other libraries call them
    named: ClassVar = {
        "axis": "over",
        "axes": "over",
        "eps": "epsilon",
        "gamma": "scale",
        "beta": "shift",
        "type": "kind",
    }


class MaskSection(_Section):
    """`hold`, `reset`, `none`, or `{kind: reset, states: [h, c]}`."""

    kind: Annotated[Name, WithJsonSchema({"enum": ["hold", "reset", "none"]})]
    states: Words | None = None


def _labels(value):
    """`[i, f]` or `{f: units, z: 1}`."""
    if isinstance(value, list):
        for item in value:
            if not (isinstance(item, Scalar) and isinstance(item.value, str)):
                raise _wrong("a list of labels", item)
    elif isinstance(value, dict):
        for item in value.values():
            if not (isinstance(item, Scalar) and isinstance(item.value, (str, int))):
                raise _wrong("a width for each label", item)
    else:
        raise _wrong("a list of labels such as `[i, f, g, o]`", value)
    return value


Labels = Annotated[
    Any,
    BeforeValidator(_labels),
    WithJsonSchema(
        {
            "oneOf": [{"type": "array", "items": NAME}, {"type": "object", "additionalProperties": SIZE}],
            "description": "the labels of an axis, in the order of the layout",
        }
    ),
]

_Short = {"scalar": (Scalar,), "list": (Scalar, list)}


def _also(short: str, key: str, form: dict):
    """A section that has a short form: for the checker, and for the JSON Schema."""
    return _short(key, _Short[short]), _Form(form)


class _Form:
    def __init__(self, form: dict):
        self.form = form

    def __get_pydantic_json_schema__(self, schema, handler):
        return {"anyOf": [self.form, handler(schema)]}


Option = Annotated[
    OptionSection,
    _mapping("a default, or a mapping"),
    *_also("scalar", "default", {"type": ["boolean", "number", "string"]}),
]
Input = Annotated[
    InputSection, _mapping("a shape, or a mapping"), *_also("list", "shape", {"type": "array", "items": SIZE})
]
State = Annotated[
    StateSection, _mapping("a shape, or a mapping"), *_also("list", "shape", {"type": ["array", "string", "integer"]})
]
Param = Annotated[ParamSection, _mapping("a mapping with `shape` and `init`")]
Norm = Annotated[NormSection, _mapping("a mapping with `kind`, `over` and `epsilon`")]
Mask = Annotated[
    MaskSection,
    _mapping("`hold`, `reset`, `none`, or a mapping"),
    *_also("scalar", "kind", {"enum": ["hold", "reset", "none"]}),
]
Papers = Annotated[
    list[Text], _list("a list of texts"), BeforeValidator(lambda value: [value] if isinstance(value, Scalar) else value)
]


class Document(_Section):
    """A recurrent cell for cellgen: its equations and what they are made of."""

    language: Version | None = Field(None, description="the version of the language: 1")
    cell: Name = Field(description="the name of the class")
    about: Text | None = Field(None, description="one sentence")
    papers: Papers = Field([], description="where the equations come from, with their numbers")
    dims: Annotated[dict[_NameKey, Size], BeforeValidator(_table)] = Field(
        {}, description="named sizes; `input` is inferred, others are required if not said"
    )
    gates: Labels | None = None
    axes: Annotated[dict[_NameKey, Labels], BeforeValidator(_table)] = Field({}, description="further labelled axes")
    options: Annotated[dict[_NameKey, Option], BeforeValidator(_table)] = Field(
        {}, description="constructor arguments with a default"
    )
    inputs: Annotated[dict[_NameKey, Input], BeforeValidator(_table)] | None = Field(
        None, description="`{x: [input]}` if not said"
    )
    state: Annotated[dict[_NameKey, State], BeforeValidator(_table)] = Field(description="the state tuple, in order")
    output: Name | None = Field(None, description="a state or another value; the first state if not said")
    params: Annotated[dict[_NameKey, Param], BeforeValidator(_table)] = Field({}, description="the weights, in order")
    norms: Annotated[dict[_NameKey, Norm], BeforeValidator(_table)] = Field(
        {}, description="norms, called in the equations by name"
    )
    mask: Mask | None = Field(None, description="what a masked step does: `hold` if not said")
    equations: Lines = Field(description="one step, one equation a line")
    laws: Lines | None = Field(None, description="claims to prove, one a line")

    named: ClassVar = {"weights": "params", "name": "cell", "description": "about", "references": "papers"}
    span: ClassVar[Span]


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
