"""`LawText` to `Law`: the names in a claim are those of the cell, or of the other one that it reduces to."""

import re
from collections.abc import Callable, Iterator
from fractions import Fraction

from cellgen.diagnostics import Refused, Span, nearest
from cellgen.ir import (
    IDENTITY,
    Apply,
    Cell,
    Dim,
    Equal,
    Fact,
    FreeOf,
    Given,
    Is,
    Law,
    Node,
    Not,
    Number,
    Option,
    Pick,
    ReducesTo,
    Ref,
    Test,
    Within,
)
from cellgen.resolve.binding import bind, bind_all
from cellgen.resolve.scope import Scope
from cellgen.text import NUMBER, FactText, Indexed, LawText

Other = Callable[[str, Span], Cell]  # finds the cell of another spec, for `reduces to`


def claims(texts: tuple[LawText, ...], scope: Scope, other: Other) -> tuple[Law, ...]:
    """The laws of a cell; what is wrong with them is reported (CG202, CG205 and those of `bind`)."""
    found = []
    for text in texts:
        try:
            said = [_fact(*each, scope) for fact in text.facts for each in _in_micro_steps(*fact, scope)]
            facts = tuple(each for each in said if isinstance(each, Fact))
            choices = tuple(each for each in said if isinstance(each, tuple))
            tests = tuple(each for each in said if not isinstance(each, (Fact, tuple)))
            claim = _claim(text, scope, other)
            found.append(Law(claim, facts, " ".join(text.text.split()), text.span, tests, choices))
        except Refused:
            pass
    return tuple(found)


def _in_micro_steps(node, value, span: Span, scope: Scope) -> Iterator[FactText]:
    """What a fact says of a name: where a loop defines it, of each micro-step; `g[2] == 0` is of one."""
    steps = scope.steps
    if isinstance(node, Indexed):
        yield bind(node, scope), value, span
    elif isinstance(node, Ref) and not node.ago and node.name in steps.counts:
        own = steps.beside[node.name]
        for number, name in enumerate(steps.every(node.name), 1):
            if name in scope.defined:
                free = isinstance(value, (bool, Fraction))
                yield Ref(name, 0, node.span), value if free else steps.copied(value, number, own), span
    else:
        yield node, value, span


def _claim(text: LawText, scope: Scope, other: Other) -> Equal | FreeOf | Within | ReducesTo:
    match text.kind:
        case "equal":
            return Equal(*bind_all((text.a, text.b), scope))
        case "free":
            return _free(text, scope)
        case "within":
            return _within(text, scope)
        case _:
            return _reduces(text, scope, other)


def _free(text: LawText, scope: Scope) -> FreeOf:
    value, of = bind_all((text.a, text.b), scope)
    if not of.ago and of.name not in scope.inputs and of.name not in scope.params:
        help = f"a state's last value is `{of.name}[t-1]`" if of.name in scope.states else ""
        scope.report.refuse(
            "CG202", "`free of` is about a state's last value, an input or a weight", of.span, help=help
        )
    return FreeOf(value, of)


def _fact(node: Ref | Pick, value, span: Span, scope: Scope) -> Fact | Test | tuple[str, str]:
    """What is set, what is asked of a variant, or what an option chooses of activations."""
    base = node.value if isinstance(node, Pick) else node
    option, dim = scope.options.get(base.name), scope.dims.get(base.name)
    kind, word = option.kind if option is not None else "", value.name if isinstance(value, Ref) else ""
    if kind == "flag" and word in ("true", "false"):
        value = word == "true"
    if isinstance(value, bool):
        question = Given(base.name, node.span)
        scope.test(question)
        return question if value else Not(question, span)
    if dim is not None and dim.kind == "alias" and word == dim.value or kind == "maybe" and word == "none":
        return Not(Given(base.name, node.span), span)
    if kind == "word" and word:
        question = Is(base.name, word, span)
        scope.test(question)
        return question
    if kind == "activation" and word in option.words:
        return base.name, word
    wanted = {
        "flag": f"write `when {base.name}` or `when not {base.name}`",
        "activation": f"it is one of the activations, as in `when {base.name} == tanh`",
        "word": f"it is one of {', '.join(option.words)}" if option else "",
    }
    if kind in wanted:
        scope.report.refuse("CG202", f"the option `{base.name}` is not given so", span, help=wanted[kind])
    if dim is not None:
        help = f"write `when {base.name} == {dim.value}`" if dim.kind == "alias" else "a law holds for every size"
        scope.report.refuse("CG202", f"the size `{base.name}` is set by no law", span, help=help)
    if option is not None and not isinstance(value, Fraction):
        help = f"write `when {base.name} == 1`"
        scope.report.refuse("CG202", f"the option `{base.name}` is set to a number", span, help=help)
    if isinstance(value, Fraction):
        return Fact(bind(node, scope), value, span)
    if isinstance(node, Pick):
        help = "name the part in an equation of its own"
        scope.report.refuse("CG202", "a part of a value is set to a number", span, help=help)
    return Fact(*bind_all((node, value), scope), span)


def _within(text: LawText, scope: Scope) -> Within:
    bounds = text.b
    low, high = (bind(each, scope) if each is not None else None for each in (bounds.low, bounds.high))
    for bound in (low, high):
        if not _is_bound(bound, scope):
            scope.report.refuse("CG202", "a bound is a number, an option or a dim", bound.span or text.span)
    if isinstance(low, Number) and isinstance(high, Number):
        is_open = bounds.low_open or bounds.high_open
        if low.value > high.value or low.value == high.value and is_open:
            span, help = low.span.to(high.span), "write `[low, high]`, low first"
            scope.report.refuse("CG202", "no number lies in this range", span, help=help)
    return Within(bind(text.a, scope), low, high, bounds.low_open, bounds.high_open)


def _is_bound(node: Node | None, scope: Scope) -> bool:
    match node:
        case None | Number():
            return True
        case Ref(name) | Apply("neg", (Ref(name),)):
            return name in scope.options or name in scope.dims
    return False


# --- reductions -----------------------------------------------------------------------------------------------------


def _reduces(text: LawText, scope: Scope, other: Other) -> ReducesTo:
    """Each pair `ours = value` gives one of this cell's names a value, or says what it is called in the other cell, of
    a weight perhaps with its sign turned.

    A weight or an option that only the other cell has is given a value too.
    """
    theirs = other(text.a, text.span)
    renames, settings, there, negated = [], [], [], set()
    pairs, chosen = text.b
    for name, word, span in chosen:
        there.append((name, _their_value(name, word, text.a, theirs, span, scope)))
    for ours, word, span in pairs:
        values = _values(scope.options.get(ours), scope.dims.get(ours))
        mine = ours.split(".")[0]
        if mine not in scope.declared.where and any(mine == each.name for each in (*theirs.options, *theirs.params)):
            there.append((ours, _their_value(ours, word, text.a, theirs, span, scope)))
        elif NUMBER.fullmatch(word.removeprefix("-")):
            settings.append((ours, Fraction(word)))
            _refuse_number(ours, span, scope)
        elif word == IDENTITY and ours in scope.params:
            settings.append((ours, IDENTITY))
        elif word in values:
            settings.append((ours, values[word]))
        else:
            name = word.removeprefix("-")
            _refuse_names(ours, name, text.a, theirs, span, scope)
            if name != word:
                _refuse_sign(name, text.a, theirs, span, scope)
                negated.add(name)
            renames.append((ours, name))
    return ReducesTo(text.a, theirs, tuple(renames), tuple(settings), tuple(there), frozenset(negated))


def _values(option: Option | None, dim: Dim | None) -> dict[str, bool | str | None]:
    """The words that are values of an option or a dim, and no names of the other cell."""
    kind = option.kind if option is not None else ""
    if kind == "flag":
        return {"true": True, "false": False}
    if kind in ("word", "activation"):
        return {word: word for word in option.words}
    return {"none": None} if kind == "maybe" or dim is not None and dim.kind == "alias" else {}


def _their_value(
    whole: str, word: str, stem: str, theirs: Cell, span: Span, scope: Scope
) -> bool | Fraction | str | None:
    """What an option or a weight of the other cell is given, or a part of a weight."""
    name, *parts = whole.split(".")
    option = next((each for each in theirs.options if each.name == name), None)
    dim = next((each for each in theirs.dims if each.name == name and each.kind == "alias"), None)
    weight = any(each.name == name for each in theirs.params)
    values = _values(option, dim)
    labels = {label for axis in theirs.axes for label in axis.labels}
    if parts and not (weight and set(parts) <= labels):
        help = nearest(parts[-1], labels) if weight else ""
        scope.report.refuse("CG205", f"`{stem}` has no weight `{whole}`", span, help=help)
    if option is None and dim is None and not weight:
        known = [each.name for each in (*theirs.options, *theirs.params)]
        help = nearest(name, known) or (f"it has {', '.join(known)}" if known else "")
        scope.report.refuse("CG205", f"`{stem}` has no option `{name}`", span, help=help)
    if word in values:
        return values[word]
    if NUMBER.fullmatch(word.removeprefix("-")) and (weight or option.kind in ("number", "maybe", "scheduled")):
        return Fraction(word)
    if weight and word == IDENTITY:
        return IDENTITY
    ours = {*scope.defined, *scope.params, *scope.inputs, *scope.options, *scope.dims}
    if word.split(".")[0] in ours:
        help = f"ours stands first: write `{word} = {name}`"
        scope.report.refuse("CG205", f"`{name}` is a name of `{stem}`, not of this cell", span, help=help)
    wanted = "a number or `identity`" if weight else " or ".join(values) or "a number"
    scope.report.refuse("CG202", f"`{whole}` of `{stem}` is {wanted}", span)


def _refuse_number(ours: str, span: Span, scope: Scope) -> None:
    option = scope.options.get(ours)
    known = {*scope.options, *scope.params, *scope.dims, *scope.defined}
    mine, *parts = ours.split(".")
    if mine not in known or not set(parts) <= set(scope.labels):
        scope.report.refuse("CG205", f"no option, weight or value `{ours}`", span, help=nearest(ours, known))
    if option is not None and option.kind in ("flag", "word", "activation"):
        wanted = "true or false" if option.kind == "flag" else f"one of {', '.join(option.words)}"
        scope.report.refuse("CG202", f"the option `{ours}` is {wanted}", span)


def _refuse_sign(name: str, stem: str, theirs: Cell, span: Span, scope: Scope) -> None:
    if all(each.name != name.split(".")[0] for each in theirs.params):
        help = "after `when` stands what is set to an expression, as in `when f == -i`"
        scope.report.refuse("CG202", f"`{name}` of `{stem}` is no weight, and has no sign to turn", span, help=help)


def _refuse_names(ours: str, word: str, stem: str, theirs: Cell, span: Span, scope: Scope) -> None:
    known = {*scope.labels, *scope.defined, *scope.params, *scope.inputs, *scope.options, *scope.dims}
    named = (*theirs.equations, *theirs.params, *theirs.inputs, *theirs.options, *theirs.dims)
    there = {*(label for axis in theirs.axes for label in axis.labels), *(each.name for each in named)}
    mine, *labels = re.split("[/.]", ours)
    if mine not in known | set(scope.norms) or "." in ours and not set(labels) <= set(scope.labels):
        wrong_way = mine in there and word.split(".")[0] in known
        help = f"ours stands first: write `{word} = {ours}`" if wrong_way else nearest(ours, known)
        message = f"`{ours}` is a name of `{stem}`, not of this cell" if wrong_way else f"unknown name `{ours}`"
        scope.report.refuse("CG205", message, span, help=help)
    if not set(word.split(".")) <= there:
        scope.report.refuse("CG205", f"`{stem}` has no `{word}`", span, help=nearest(word, there))
