"""The kinds of value in a spec: what a key takes, for the checker and for the JSON Schema.

Leaves stay `Scalar`s, so that every later stage knows where each value stands.
"""

from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError, core_schema

from cellgen.diagnostics import Span, nearest
from cellgen.document.families import FAMILIES
from cellgen.text import Scalar

MAX_ITEMS = 256  # of a section
INFINITE = ("inf", "-inf")  # ends of a range without a bound


class Key(str):
    """A key of the spec that knows where it stands."""

    __slots__ = ("span",)
    span: Span

    @classmethod
    def __get_pydantic_core_schema__(cls, source, handler):
        return core_schema.is_instance_schema(cls)  # kept as it is, with its span

    @classmethod
    def __get_pydantic_json_schema__(cls, schema, handler):
        return NAME


def _wrong(wanted: str, value: Any) -> PydanticCustomError:
    match value:
        case dict():
            came = "a mapping"
        case list():
            came = "a list"
        case Scalar(value=None):
            came = "nothing"
        case Scalar(value=bool()):
            came = value.text
        case Scalar(value=found) if found in INFINITE:
            came = "an infinite number"
        case Scalar(value=int() | float()):
            came = "a number"
        case _:
            came = "a text"
    return PydanticCustomError("kind", "takes {wanted}, not {came}", {"wanted": wanted, "came": came, "at": value})


# --- single values --------------------------------------------------------------------------------------------------


def _leaf(wanted: str, accepts, schema: dict):
    def check(value):
        if not (isinstance(value, Scalar) and accepts(value.value)):
            raise _wrong(wanted, value)
        return value

    return Annotated[Any, BeforeValidator(check), WithJsonSchema({**schema, "description": wanted})]


def _is_text(value) -> bool:
    return isinstance(value, str)


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_bound(value) -> bool:
    return _is_number(value) or value in INFINITE


def _is_whole(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text_or_number(value) -> bool:
    return _is_text(value) or _is_number(value)


def _is_text_or_whole(value) -> bool:
    return _is_text(value) or _is_whole(value)


NAME = {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]*$"}
TEXT = {"type": "string"}
SIZE = {"type": ["string", "integer"]}
WORD = {"type": ["string", "number"]}
VALUE = {"type": ["boolean", "number", "string"]}

Text = _leaf("a text", _is_text_or_number, TEXT)
Lines = _leaf("lines of text under `|`", _is_text, TEXT)
Name = _leaf("a name", _is_text, NAME)
Flag = _leaf("true or false", lambda value: isinstance(value, bool), {"type": "boolean"})
Amount = _leaf("a number", _is_number, {"type": "number"})
Bound = _leaf("a number, `inf` or `-inf`", _is_bound, {"oneOf": [{"type": "number"}, {"enum": [*INFINITE]}]})
Value = _leaf("true, false, a number, a word or none", lambda value: value is not None, VALUE)
Size = _leaf("`inferred`, `required`, `optional`, a positive integer, or another dim", _is_text_or_whole, SIZE)
Axis = _leaf("a dim, a positive integer, or a product of them", _is_text_or_whole, SIZE)
Init = _leaf("an initialiser: a name such as `glorot_uniform`, or a number", _is_text_or_number, WORD)
Start = _leaf("a number or a parameter's name", _is_text_or_number, WORD)
Version = _leaf("1", _is_whole, {"const": 1})


def _family(value):
    if not (isinstance(value, Scalar) and value.value in FAMILIES):
        came = value.text if isinstance(value, Scalar) else ""
        if not came:
            raise _wrong("a word", value)
        help = nearest(came, FAMILIES) or f"the families are {', '.join(FAMILIES)}"
        raise PydanticCustomError("kind", "has no `{came}`", {"came": came, "at": value, "help": help})
    return value


_FAMILIES = [{"const": family, "description": about} for family, about in FAMILIES.items()]
Family = Annotated[Any, BeforeValidator(_family), WithJsonSchema({"oneOf": _FAMILIES})]


# --- lists and mappings ---------------------------------------------------------------------------------------------


def _made_of(kind: type, wanted: str) -> BeforeValidator:
    def check(value):
        if not isinstance(value, kind):
            raise _wrong(wanted, value)
        return value

    return BeforeValidator(check)


def a_list(wanted: str) -> BeforeValidator:
    return _made_of(list, wanted)


def a_mapping(wanted: str) -> BeforeValidator:
    return _made_of(dict, wanted)


def short(key: str, *kinds: type) -> BeforeValidator:
    """A shorthand: a value of these kinds stands for a mapping with this one key."""

    def spell(value):
        if not isinstance(value, kinds):
            return value
        name = Key(key)
        name.span = getattr(value, "span", None)
        return {name: value}

    return BeforeValidator(spell)


class Form:
    """The short form of a section, for the JSON Schema."""

    def __init__(self, form: dict):
        self.form = form

    def __get_pydantic_json_schema__(self, schema, handler):
        return {"anyOf": [self.form, handler(schema)]}


def _alone(value):
    return [value] if isinstance(value, Scalar) else value


Shape = Annotated[list[Axis], a_list("a list of dims such as `[input, gates*units]`"), BeforeValidator(_alone)]
Words = Annotated[list[Name], a_list("a list of words")]
Papers = Annotated[list[Text], a_list("a list of texts"), BeforeValidator(_alone)]


def _table(value):
    if isinstance(value, Scalar) and value.value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong("a mapping of names", value)
    if len(value) > MAX_ITEMS:
        raise PydanticCustomError("many", "holds more than {most} names", {"most": MAX_ITEMS})
    return value


Kind = TypeVar("Kind")
Table = Annotated[dict[Key, Kind], BeforeValidator(_table)]


def _labels(value):
    """`[i, f]`, `{f: units, z: 1}`, or a number of places."""
    if isinstance(value, Scalar) and isinstance(value.value, int) and not isinstance(value.value, bool):
        return value
    if isinstance(value, list):
        for item in value:
            if not (isinstance(item, Scalar) and isinstance(item.value, str)):
                raise _wrong("a list of labels", item)
    elif isinstance(value, dict):
        for item in value.values():
            if not (isinstance(item, Scalar) and isinstance(item.value, (str, int))):
                raise _wrong("a width for each label, such as `{key: units, gate: 1}`", item)
    else:
        raise _wrong("a list of labels such as `[i, f, g, o]`", value)
    return value


Labels = Annotated[
    Any,
    BeforeValidator(_labels),
    WithJsonSchema(
        {
            "oneOf": [
                {"type": "array", "items": NAME},
                {"type": "object", "additionalProperties": SIZE},
                {"type": "integer", "minimum": 1},
            ],
            "description": "the labels of an axis, in the order of the layout",
        }
    ),
]
