"""What is wrong with a line that Python's parser refuses.

Found in the line's own signs and words and not in the parser's message, which differs from one Python to the next.
"""

import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from cellgen.ir import REMAINDER
from cellgen.text.latex import pieces

_TOKEN = re.compile(
    r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<sign>\*\*|//|<<|>>|<=|>=|==|!=|:=|[-+*/@%&|^~<>=:,.;])|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<other>\S)"
)
_OPERATORS = frozenset("if else and or not in is".split())
_VALUES = frozenset("True False None".split())
_PREFIX = frozenset("- + ~ not".split())
_SIGNS = {  # of other languages
    ":=": "an equation is `name = value`",
    "//": "a comment starts with `#`, a quotient is `/`",
    ";": "one equation a line, nothing behind it",
    "~": "call it `h_new`, or `h_hat`",
}
_INFIX = {  # words that stand between two values
    **dict.fromkeys(("mod", "rem"), REMAINDER),
    **dict.fromkeys(("dot", "matmul"), "a matmul is `@`"),
    **dict.fromkeys(("times", "mul", "odot", "hadamard"), "elementwise is `*`"),
    **{word: f"write `{sign}`" for word, sign in {"plus": "+", "minus": "-", "div": "/", "over": "/"}.items()},
}
_CLOSER = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class Mistake:
    """The characters `start` to `end` of a text, and what is wrong with them."""

    message: str
    start: int
    end: int
    help: str = ""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int

    def wrong(self, message: str, help: str = "") -> Mistake:
        return Mistake(message, self.start, self.end, help)


def mistakes(text: str) -> list[Mistake]:
    """Those that can be told, in the order of the text: all that is of other languages, and what remains without it."""
    text = text.split("//")[0] + "//" if "//" in text else text  # a comment, as elsewhere
    found, meant = [], {}
    for piece in pieces(text):
        found.append(Mistake(f"`{text[piece.start : piece.end]}` is LaTeX", piece.start, piece.end, piece.help))
        text = text[: piece.start] + piece.plain + text[piece.end :]
        meant[piece.start] = piece.meant
    tokens = [replace(token, text=meant.get(token.start) or token.text) for token in _tokens(text)]
    if not tokens:
        return [Mistake("a value is missing", 0, len(text))]
    foreign = list(_foreign(tokens))
    for find in () if foreign else (_bracket, _word, _neighbours, _choice, _left):
        if rest := list(find(tokens, text)):
            foreign = rest
            break
    return sorted([*found, *foreign], key=lambda each: each.start)


def _tokens(text: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text):
        word = match[0]
        kind = match.lastgroup
        if kind == "name" and word in _OPERATORS:
            kind = "sign"
        yield _Token(kind, word, *match.span())


def _foreign(tokens: list[_Token]) -> Iterator[Mistake]:
    """Signs of other languages, each once."""
    seen = set()
    for token in tokens:
        if token.text in seen:
            continue
        seen.add(token.text)
        if token.text in _SIGNS:
            yield token.wrong(f"`{token.text}` has no meaning here", _SIGNS[token.text])
        elif token.kind == "other":
            help = "a word of an option stands without quotes: `combine == blend`" if token.text in "'\"" else ""
            yield token.wrong(f"`{token.text}` has no meaning here", help)
        elif token.kind == "number" and re.match(r"0\d", token.text):
            yield token.wrong("a number does not start with 0")


def _bracket(tokens: list[_Token], text: str) -> Iterator[Mistake]:
    opened: list[_Token] = []
    for token in tokens:
        if token.kind == "open":
            opened.append(token)
        elif token.kind == "close":
            if not opened:
                yield token.wrong(f"`{token.text}` closes nothing", "take it out, or open it further left")
                return
            if _CLOSER[opened[-1].text] != token.text:
                yield token.wrong(f"`{token.text}` does not close `{opened[-1].text}`")
                return
            opened.pop()
    if opened:
        yield opened[-1].wrong(f"`{opened[-1].text}` is not closed")


def _word(tokens: list[_Token], text: str) -> Iterator[Mistake]:
    for index, token in enumerate(tokens):
        named = token.kind == "name" and keyword.iskeyword(token.text) and token.text not in _VALUES
        if named or index == 0 and token.text in _OPERATORS:
            yield token.wrong(f"`{token.text}` is a word of Python", f"choose another name, such as `{token.text}_`")
            return


def _neighbours(tokens: list[_Token], text: str) -> Iterator[Mistake]:
    """Values without a sign between them, or two signs without a value, behind which nobody knows what is meant."""
    before = word = None
    for token, after in zip(tokens, [*tokens[1:], None]):
        value = token.kind in ("number", "name")
        if before is not None and before.kind in ("number", "name", "close") and value and before is not word:
            if token.text in _INFIX and after is not None and after.kind in ("number", "name", "open"):
                word = token
                yield token.wrong(f"`{token.text}` is no sign", _INFIX[token.text])
            else:
                a, b = "..." if before.kind == "close" else before.text, token.text
                help = f"a product is `{a} * {b}`" if token.kind == "name" else ""
                yield token.wrong(
                    f"a sign is missing before `{b}`",
                    f"{help}, a matmul `{a} @ {b}`" if help and before.kind != "number" else help,
                )
        starts = before is None or before.kind == "open" or before.kind == "sign"
        if starts and token.kind == "sign" and token.text not in _PREFIX:
            if before is None or before.kind == "open" or before.text == ",":
                yield token.wrong(f"a value is missing before `{token.text}`")
                return
            yield Mistake(f"a value is missing between `{before.text}` and `{token.text}`", before.start, token.end)
            return
        if before is not None and before.kind == "sign" and before.text != "," and token.kind == "close":
            yield before.wrong(f"a value is missing after `{before.text}`")
            return
        before = token
    if before is not None and before.kind == "sign" and before.text not in ",;":
        yield before.wrong(f"a {'label' if before.text == '.' else 'value'} is missing after `{before.text}`")


def _choice(tokens: list[_Token], text: str) -> Iterator[Mistake]:
    ifs, elses = ([token for token in tokens if token.text == word] for word in ("if", "else"))
    if len(ifs) > len(elses):
        yield ifs[-1].wrong("`if` without `else`", "write both arms, as in `a if option else 0`")
    if len(elses) > len(ifs):
        yield elses[0].wrong("`else` without `if`", "write `a if option else b`")


def _left(tokens: list[_Token], text: str) -> Iterator[Mistake]:
    at = next((token for token in tokens if token.text == "="), None)
    if at is None or re.fullmatch(r"\s*[A-Za-z_]\w*\s*(:.*)?", text[: at.start], re.S):
        return
    end = len(text[: at.start].rstrip())
    yield Mistake("on the left of `=` stands a name", 0, end, "give the value a name of its own: `name = ...`")
