"""What is wrong with a line that Python's parser refuses.

Found in the line's own signs and words and not in the parser's message, which differs from one Python to the next.
"""

import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<sign>\*\*|//|<<|>>|<=|>=|==|!=|:=|[-+*/@%&|^~<>=:,.;])|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<other>\S)"
)
_OPERATORS = frozenset("if else and or not in is".split())
_VALUES = frozenset("True False None".split())
_PREFIX = frozenset("- + ~ not".split())
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


def mistake(text: str) -> Mistake | None:
    """The first mistake that can be told; None if it is none of these."""
    tokens = list(_tokens(text))
    if not tokens:
        return Mistake("a value is missing", 0, len(text))
    for find in (_foreign, _bracket, _word, _neighbours, _choice, _left):
        found = find(tokens, text)
        if found:
            return found
    return None


def _tokens(text: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text):
        word = match[0]
        kind = match.lastgroup
        if kind == "name" and word in _OPERATORS:
            kind = "sign"
        yield _Token(kind, word, *match.span())


def _foreign(tokens: list[_Token], text: str) -> Mistake | None:
    """Signs of other languages."""
    if latex := re.search(r"\w+_\{[^}]*\}?", text):
        help = "the carried value is `h[t-1]`, this step's the bare `h`, and a name may hold `_`: `W_h`"
        return Mistake(f"`{latex[0]}` is LaTeX", *latex.span(), help)
    if latex := re.search(r"\\[A-Za-z]+", text):
        help = "elementwise is `*`, a matmul `@`, and a function has its plain name: `sigmoid(x)`"
        return Mistake(f"`{latex[0]}` is LaTeX", *latex.span(), help)
    for token in tokens:
        if token.text == ":=":
            return token.wrong("`:=` has no meaning here", "an equation is `name = value`")
        if token.text == "//":
            return token.wrong("`//` has no meaning here", "a comment starts with `#`, a quotient is `/`")
        if token.text == ";":
            return token.wrong("`;` has no meaning here", "one equation a line, nothing behind it")
        if token.text == "~":
            return token.wrong("`~` has no meaning here", "call it `h_new`, or `h_hat`")
        if token.kind == "other":
            help = "a word of an option stands without quotes: `combine == blend`" if token.text in "'\"" else ""
            return token.wrong(f"`{token.text}` has no meaning here", help)
        if token.kind == "number" and re.match(r"0\d", token.text):
            return token.wrong("a number does not start with 0")
    return None


def _bracket(tokens: list[_Token], text: str) -> Mistake | None:
    opened: list[_Token] = []
    for token in tokens:
        if token.kind == "open":
            opened.append(token)
        elif token.kind == "close":
            if not opened:
                return token.wrong(f"`{token.text}` closes nothing", "take it out, or open it further left")
            if _CLOSER[opened[-1].text] != token.text:
                return token.wrong(f"`{token.text}` does not close `{opened[-1].text}`")
            opened.pop()
    return opened[-1].wrong(f"`{opened[-1].text}` is not closed") if opened else None


def _word(tokens: list[_Token], text: str) -> Mistake | None:
    for index, token in enumerate(tokens):
        named = token.kind == "name" and keyword.iskeyword(token.text) and token.text not in _VALUES
        if named or index == 0 and token.text in _OPERATORS:
            return token.wrong(f"`{token.text}` is a word of Python", f"choose another name, such as `{token.text}_`")
    return None


def _neighbours(tokens: list[_Token], text: str) -> Mistake | None:
    """Two values without a sign between them, or two signs without a value."""
    before = None
    for token in tokens:
        value = token.kind in ("number", "name")
        if before is not None and before.kind in ("number", "name", "close") and value:
            a, b = "..." if before.kind == "close" else before.text, token.text
            help = f"a product is `{a} * {b}`" if token.kind == "name" else ""
            return token.wrong(
                f"a sign is missing before `{b}`",
                f"{help}, a matmul `{a} @ {b}`" if help and before.kind != "number" else help,
            )
        starts = before is None or before.kind == "open" or before.kind == "sign"
        if starts and token.kind == "sign" and token.text not in _PREFIX:
            if before is None or before.kind == "open" or before.text == ",":
                return token.wrong(f"a value is missing before `{token.text}`")
            return Mistake(f"a value is missing between `{before.text}` and `{token.text}`", before.start, token.end)
        if before is not None and before.kind == "sign" and before.text != "," and token.kind == "close":
            return before.wrong(f"a value is missing after `{before.text}`")
        before = token
    if before is not None and before.kind == "sign" and before.text not in ",;":
        return before.wrong(f"a {'label' if before.text == '.' else 'value'} is missing after `{before.text}`")
    return None


def _choice(tokens: list[_Token], text: str) -> Mistake | None:
    ifs, elses = ([token for token in tokens if token.text == word] for word in ("if", "else"))
    if len(ifs) > len(elses):
        return ifs[-1].wrong("`if` without `else`", "write both arms, as in `a if option else 0`")
    if len(elses) > len(ifs):
        return elses[0].wrong("`else` without `if`", "write `a if option else b`")
    return None


def _left(tokens: list[_Token], text: str) -> Mistake | None:
    at = next((token for token in tokens if token.text == "="), None)
    if at is None or re.fullmatch(r"\s*[A-Za-z_]\w*\s*(:.*)?", text[: at.start], re.S):
        return None
    end = len(text[: at.start].rstrip())
    return Mistake("on the left of `=` stands a name", 0, end, "give the value a name of its own: `name = ...`")
