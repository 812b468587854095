"""The options of a cell: flags, numbers, words and activations, each with its default."""

from fractions import Fraction

from cellgen.cell import Option
from cellgen.diagnostics import Label, Report, nearest
from cellgen.document import OptionSection
from cellgen.kinds import Key
from cellgen.load import Scalar
from cellgen.names import NAME
from cellgen.ops import ACTIVATIONS


def option(name: Key, section: OptionSection, report: Report) -> Option:
    """The option of a section; what is wrong is reported (CG106, CG107, CG112)."""
    default, add = section.default, report.add
    if section.one_of is not None:
        for each, what in ((section.range and section.range[0], "a range"), (section.scheduled, "`scheduled`")):
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
    if scheduled and default.number is None:
        add("CG106", f"`options.{name}`: `scheduled` is for a number", section.scheduled.span)
    if default.value == "none":
        return Option(name, "maybe", None, (), low, high, name.span)
    if isinstance(default.value, bool):
        if section.range:
            add("CG106", f"`options.{name}`: a range is for a number", section.range[0].span)
        return Option(name, "flag", default.value, span=name.span)
    if default.number is None:
        yes = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}.get(
            default.value.lower()
        )
        add(
            "CG106",
            f"`options.{name}`: `{default.text}` is no default",
            default.span,
            help=f"write `{yes}`, without quotes"
            if yes
            else "write true, false, a number, none, or `{one_of: [a, b]}`",
        )
        return Option(name, "flag", True, span=name.span)
    value = default.number
    if (low is not None and value < low) or (high is not None and value > high):
        add(
            "CG106",
            f"`options.{name}`: the default {default.text} is outside its range",
            default.span,
            context=[Label(section.range[0].span.to(section.range[1].span), "the range")],
        )
    return Option(name, "scheduled" if scheduled else "number", value, (), low, high, name.span)


def _range(name: Key, written: list[Scalar] | None, report: Report) -> tuple[Fraction | None, Fraction | None]:
    if written is None:
        return None, None
    bounds = [each.number for each in written]
    if len(bounds) != 2 or bounds[0] > bounds[1]:
        report.add(
            "CG106",
            f"`options.{name}.in`: a range is `[low, high]`",
            written[0].span.to(written[-1].span) if written else name.span,
        )
        return None, None
    return bounds[0], bounds[1]


def _activation(name: Key, default: Scalar | None, report: Report) -> Option:
    if default is None or default.value not in ACTIVATIONS:
        report.add(
            "CG106",
            f"`options.{name}`: the default is an activation",
            default.span if default else name.span,
            help=(default and nearest(default.text, ACTIVATIONS)) or f"there are {', '.join(ACTIVATIONS)}",
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
