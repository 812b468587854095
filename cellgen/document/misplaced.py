"""Where a key belongs that stands at the wrong place: in one of the sections, or not in a spec at all."""

from cellgen.ir import activation
from cellgen.text import KERAS, NAME, Mapping, Scalar, Sequence, Tree

MOST = 40  # characters of a value that are repeated
OF_LAYERS = KERAS | {"jit_compile", "memory", "recurrent_dropout"}
COMPLEX = "there are real numbers only: a complex state is two, as in `state: {re: [units], im: [units]}`"


def belongs(key: str, value: Tree, alone: bool) -> str:
    """A help for an unknown key, told by its value; an empty string if there is none. `alone`: it is in no section."""
    text = " ".join(value.span.text.split())
    if key == "dtype":
        help = f'the dtype is the layer\'s, which is made with `dtype="{text}"`' if len(text) <= MOST else ""
        return COMPLEX if "complex" in text.lower() else help
    if not alone or not NAME.fullmatch(key):
        return ""
    if key.endswith("_initializer"):
        weight = key.removesuffix("_initializer")
        return f"a weight says how it starts: `params: {{{weight}: {{shape: ..., init: ...}}}}`"
    if key in OF_LAYERS:
        return f"`{key}` is the layer's: its constructor takes it, and a spec does not say it"
    section, written = _section(key, value, text)
    if not section:
        return ""
    what = {"dims": "a size", "params": "a weight", "norms": "a norm", "options": "an option"}[section]
    return f"{what} stands under `{section}:`" + (f": write `{section}: {{{written}}}`" if len(text) <= MOST else "")


def _section(key: str, value: Tree, text: str) -> tuple[str, str]:
    """The section that holds such a value, and how it is written there."""
    match value:
        case Scalar(value=bool() | float()) | Scalar(value="none"):
            return "options", f"{key}: {text}"
        case Scalar(value=int() | "required" | "inferred" | "optional"):
            return "dims", f"{key}: {text}"
        case Scalar(value=str(word)) if activation(word):
            return "options", f"{key}: {{one_of: activations, default: {activation(word)}}}"
        case Sequence(items=items) if items and all(isinstance(each, Scalar) for each in items):
            return "params", f"{key}: {text}"
        case Mapping():
            for section, mark in (("norms", "over"), ("options", "one_of"), ("params", "init"), ("params", "shape")):
                if mark in value:
                    return section, f"{key}: {text}"
            return ("options", f"{key}: {text}") if "default" in value else ("", "")
    return "", ""
