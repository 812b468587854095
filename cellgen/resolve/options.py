"""The options of a cell: flags, numbers, words and activations, each with its default."""

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

from cellgen.diagnostics import Label, Report, nearest
from cellgen.document import INFINITE, Key, OptionSection
from cellgen.ir import ACTIVATIONS, Option, activation
from cellgen.text import NAME, Call, Scalar, Statement, parts


def option(name: Key, section: OptionSection, report: Report) -> Option:
    """The option of a section; what is wrong is reported (CG106, CG107, CG112)."""
    default, add = section.default, report.add
    optional = section.optional is not None and section.optional.value
    if section.one_of is not None:
        for each, what in (
            (section.range and section.range[0], "a range"),
            (section.scheduled, "`scheduled`"),
            (section.optional, "`optional`"),
        ):
            if each:
                add("CG106", f"`options.{name}`: {what} is for a number", each.span)
        if isinstance(section.one_of, Scalar) and section.one_of.value == "activations":
            return _activation(name, default, report)
        return _words(name, section.one_of, default, report)
    low, high = _range(name, section.range, report)
    if default is None:
        add(
            "CG107",
            f"`options.{name}`: an option has a default",
            name.span,
            help="write `name: true`, `name: 1.0` or `name: none`",
        )
        return Option(name, "maybe", None, span=name.span)
    scheduled = section.scheduled is not None and section.scheduled.value
    if scheduled and (default.number is None or optional):
        message = "what is `scheduled` is always there" if optional else "`scheduled` is for a number"
        add("CG106", f"`options.{name}`: {message}", section.scheduled.span)
    if default.value == "none":
        return Option(name, "maybe", None, (), low, high, name.span)
    if isinstance(default.value, bool):
        for each, what in ((section.range and section.range[0], "a range"), (section.optional, "`optional`")):
            if each:
                add("CG106", f"`options.{name}`: {what} is for a number", each.span)
        return Option(name, "flag", default.value, span=name.span)
    if default.number is None:
        add("CG106", f"`options.{name}`: `{default.text}` is no default", default.span, help=meant(name, default))
        return Option(name, "flag", True, span=name.span)
    value = default.number
    if (low is not None and value < low) or (high is not None and value > high):
        add(
            "CG106",
            f"`options.{name}`: the default {default.text} is outside its range",
            default.span,
            context=[Label(section.range[0].span.to(section.range[1].span), "the range")],
        )
    kind = "scheduled" if scheduled else "maybe" if optional else "number"
    return Option(name, kind, value, (), low, high, name.span)


def meant(name: str, default: Scalar) -> str:
    """A help for a word where a default stands: how an option with such a word is written."""
    yes = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}
    word = default.text
    if word.lower() in yes:
        return f"write `{yes[word.lower()]}`, without quotes"
    if called := activation(word):
        return f"an option that is called is `{name}: {{one_of: activations, default: {called}}}`"
    if default.value in INFINITE:
        return f"where there is no number, write `{name}: none`"
    others = f"[{word}, other]" if NAME.fullmatch(word) else "[a, b]"
    return f"write true, false, a number, none, or `{name}: {{one_of: {others}}}`"


def called(options: tuple[Option, ...], statements: Iterable[Statement]) -> tuple[Option, ...]:
    """With the kind `activation` where an option is one of some words, all activations, and an equation calls it."""
    names = {name for each in statements if each.value is not None for name in _calls(each.value)}
    return tuple(
        replace(each, kind="activation")
        if each.kind == "word" and each.name in names and {*each.words} <= {*ACTIVATIONS}
        else each
        for each in options
    )


def choices(options: Iterable[Option]) -> tuple[str, ...]:
    """The activations that an instance may choose, in the order of the table."""
    words = {word for each in options if each.kind == "activation" for word in each.words}
    return tuple(name for name in ACTIVATIONS if name in words)


def _calls(node) -> Iterable[str]:
    if isinstance(node, Call):
        yield node.name
    for part in parts(node):
        yield from _calls(part)


def _range(name: Key, written: list[Scalar] | None, report: Report) -> tuple[Fraction | None, Fraction | None]:
    """A bound is None where there is none."""
    if written is None:
        return None, None
    if len(written) != 2 or written[0].value == "inf" or written[1].value == "-inf":
        bounds = None
    else:
        low, high = (each.number for each in written)
        bounds = None if low is not None and high is not None and low > high else (low, high)
    if bounds is None:
        report.add(
            "CG106",
            f"`options.{name}.in`: a range is `[low, high]`",
            written[0].span.to(written[-1].span) if written else name.span,
            help="low first, as in `in: [0, 1]`; without a bound above it is `in: [0, inf]`",
        )
        return None, None
    return bounds


def _activation(name: Key, default: Scalar | None, report: Report) -> Option:
    if default is None or default.value not in ACTIVATIONS:
        found = activation(default.text) if default else ""
        report.add(
            "CG106",
            f"`options.{name}`: the default is an activation",
            default.span if default else name.span,
            help=f"did you mean `{found}`?"
            if found
            else (default and nearest(default.text, ACTIVATIONS)) or f"there are {', '.join(ACTIVATIONS)}",
        )
        return Option(name, "activation", "linear", ACTIVATIONS, span=name.span)
    return Option(name, "activation", default.value, ACTIVATIONS, span=name.span)


def _words(name: Key, written, default: Scalar | None, report: Report) -> Option:
    words = written if isinstance(written, list) else [written]
    bad = [
        word
        for word in words
        if not (isinstance(word, Scalar) and isinstance(word.value, str) and NAME.fullmatch(word.value))
    ]
    if bad or not words or not isinstance(written, list):
        wrong = next((each for each in bad or words if isinstance(each, Scalar)), None)
        report.add(
            "CG106",
            f"`options.{name}.one_of`: wanted a list of words, or `activations`",
            wrong.span if wrong else name.span,
            help=f"write `{name}: {{one_of: [blend, select]}}`, the default first",
        )
        return Option(name, "word", "", span=name.span)
    words = tuple(word.value for word in words)
    if len(set(words)) < len(words):
        report.add("CG112", f"`options.{name}.one_of`: a word stands twice", written[0].span.to(written[-1].span))
    if default is not None and default.value not in words:
        report.add(
            "CG106",
            f"`options.{name}`: the default is one of {', '.join(words)}",
            default.span,
            help=nearest(default.text, words),
        )
    return Option(name, "word", default.value if default else words[0], words, span=name.span)
