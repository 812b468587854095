"""LaTeX in a line: every piece of it, and what the language writes in its place."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cellgen.ir import OTHERWISE, WRITTEN, transposed

_PIECE = re.compile(
    r"(?P<base>\\[A-Za-z]+\{[^{}]*\}|[A-Za-z]\w*)(?P<index>[_^]\{[^{}]*\})"  # h_{t-1}, \mathbf{W}_{xi}, h^{(t)}
    r"|\\(?P<command>[A-Za-z]+|[,;:! ])(?P<inner>\{\w*\})?"
)
FONTS = frozenset("mathbf mathrm mathit mathcal mathsf boldsymbol bm text textbf textrm operatorname vec".split())
ACCENTS = {"hat": "hat", "widehat": "hat", "tilde": "tilde", "widetilde": "tilde", "bar": "bar", "overline": "bar"}
SPACES = frozenset(", ; : ! quad qquad left right big Big bigl bigr Bigl Bigr".split()) | {" "}
SIGNS = {
    **dict.fromkeys("odot circ cdot ast star times".split(), ("*", "elementwise is `*`, a matmul `@`")),
    "otimes": ("*", "all pairs are `outer(a, b)`, elementwise is `*`"),
    "oplus": ("+", "write `+`; where it joins two vectors, write one product for each and add them"),
    "frac": (" ", "a quotient is `a / b`"),
    "top": (" ", transposed("W")),
    **{name: (sign, f"write `{sign}`") for name, sign in {"leq": "<=", "le": "<=", "geq": ">=", "ge": ">="}.items()},
}
FUNCTIONS = {name: name for name in WRITTEN} | OTHERWISE
FUNCTIONS |= {"sigma": "sigmoid", "max": "maximum", "min": "minimum", "ln": "log", "lvert": "abs", "vert": "abs"}


@dataclass(frozen=True, slots=True)
class Piece:
    """The characters `start` to `end` of a text.

    meant: what the language writes there, where it is a value; plain: as many characters without LaTeX, to look at what
    stands beside it.
    """

    start: int
    end: int
    help: str
    meant: str
    plain: str


def pieces(text: str) -> Iterator[Piece]:
    """Those of a text, from left to right."""
    for match in _PIECE.finditer(text):
        end, sign = match.end(), ""
        if match["index"]:
            help, meant = _indexed(match["base"], match["index"])
        else:
            help, meant, sign = _command(match["command"], (match["inner"] or "")[1:-1])
            end = match.end("command") if sign or match["command"] in FUNCTIONS else end
        length = end - match.start()
        yield Piece(match.start(), end, help, meant, "v" * length if meant else sign.ljust(length))


def _indexed(base: str, index: str) -> tuple[str, str]:
    name = re.sub(r"\\[A-Za-z]+\{([^{}]*)\}", r"\1", base)
    inner = index[2:-1].strip("() ").replace(" ", "")
    if inner == "t-1":
        return f"the carried value is `{name}[t-1]`", f"{name}[t-1]"
    if inner == "t":
        return f"this step's value is the bare name: `{name}`", name
    if re.fullmatch(r"\w+", inner) and index[0] == "_":
        return f"write `{name}_{inner}`", f"{name}_{inner}"
    return f"a name is letters, digits and `_`, as in `{name}_1`; the carried value is `{name}[t-1]`", name


def _command(command: str, inner: str) -> tuple[str, str, str]:
    """What to do about it, the value that is meant, if it is one, and else the sign."""
    if command in SPACES:
        return "leave it away", "", " "
    if command in SIGNS:
        sign, help = SIGNS[command]
        return help, "", sign
    if command in FUNCTIONS:
        return f"write `{FUNCTIONS[command]}(...)`", FUNCTIONS[command], ""
    name = f"{inner}_{ACCENTS[command]}" if command in ACCENTS else inner if command in FONTS else command
    return f"write `{name}`, or another plain name", name or command, ""
