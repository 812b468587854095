"""What the wiring of a stack settles: an option of the layer, or whether a port of it is there, by role."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from cellgen.diagnostics import nearest
from cellgen.ir import (
    Both,
    Choose,
    Either,
    Given,
    Is,
    Node,
    Not,
    Number,
    Option,
    Param,
    Ref,
    Test,
    children,
    rebuild,
)
from cellgen.ir.initial_values import remade
from cellgen.resolve import Scope
from cellgen.text import Statement

Asked = Test | bool  # True: always, False: never


@dataclass(frozen=True, slots=True)
class Settled:
    """given: when the flag is set or the port there. words: when the option is each word. value: of a number."""

    given: Asked = False
    words: Mapping[str, Asked] | None = None
    value: Node | None = None

    @staticmethod
    def choice(test: Test, a: Asked, b: Asked) -> Asked:
        """`a if test else b`."""
        return a if a == b else _either(_both(test, a), _both(_not(test), b))

    @staticmethod
    def ask(test: Test, settled: "Mapping[str, Settled]") -> Asked:
        """A test with what is settled in place of its questions."""
        match test:
            case Given(name) if name in settled:
                return settled[name].given
            case Is(name, word) if name in settled and settled[name].words is not None:
                return settled[name].words.get(word, False)
            case Not(inner):
                return _not(Settled.ask(inner, settled))
            case Both(a, b):
                return _both(Settled.ask(a, settled), Settled.ask(b, settled))
            case Either(a, b):
                return _either(Settled.ask(a, settled), Settled.ask(b, settled))
        return test


def in_place(node: Node, settled: Mapping[str, Settled]) -> Node:
    """An equation of the cell with its wired options and ports in place."""
    match node:
        case Choose(test, a, b, span):
            asked = Settled.ask(test, settled)
            if isinstance(asked, bool):
                return in_place(a if asked else b, settled)
            return Choose(asked, in_place(a, settled), in_place(b, settled), span)
        case Ref(name) if name in settled and settled[name].value is not None:
            return settled[name].value
    return rebuild(node, tuple(in_place(child, settled) for child in children(node)))


def starting(param: Param, settled: Mapping[str, Settled]) -> Param:
    """A weight of the cell, with what is wired in place in what it starts from."""
    how = lambda test: Settled.ask(test, settled), lambda value: in_place(value, settled)
    return replace(param, init=tuple((label, remade(each, *how)) for label, each in param.init))


def settle(option: Option, statement: Statement, scope: Scope) -> Settled:
    """An option of the cell as the wiring says it. Raises `Refused` (CG214, CG219)."""
    value = Ref("none") if statement.value is None else statement.value
    match option.kind:
        case "flag":
            return Settled(given=_flag(option, value, scope))
        case "word":
            return Settled(words={word: _word(option, value, word, scope) for word in option.words})
        case "number" | "scheduled":
            return Settled(value=_number(option, value, scope))
    message = f"the option `{option.name}` cannot be wired"
    help = "flags, words and numbers can; leave it to the stack's constructor"
    scope.report.refuse("CG219", message, statement.span, help=help)


def _flag(option: Option, node: Node, scope: Scope) -> Asked:
    match node:
        case Ref("true" | "false" as word):
            return word == "true"
        case Ref(name) if name in scope.options and scope.options[name].kind == "flag":
            return Given(name)
        case Choose(test, a, b):
            scope.test(test)
            return Settled.choice(test, _flag(option, a, scope), _flag(option, b, scope))
    flags = [each.name for each in scope.options.values() if each.kind == "flag"]
    _refuse(option, node, scope, f"`true`, `false`{''.join(f', `{flag}`' for flag in flags)}")


def _word(option: Option, node: Node, word: str, scope: Scope) -> Asked:
    match node:
        case Ref(name) if name in option.words:
            return name == word
        case Ref(name) if name in scope.options and set(scope.options[name].words) <= set(option.words):
            return Is(name, word) if word in scope.options[name].words else False
        case Choose(test, a, b):
            scope.test(test)
            return Settled.choice(test, _word(option, a, word, scope), _word(option, b, word, scope))
    _refuse(option, node, scope, ", ".join(f"`{each}`" for each in option.words))


def _number(option: Option, node: Node, scope: Scope) -> Node:
    match node:
        case Number(value):
            low, high = option.low, option.high
            if low is not None and value < low or high is not None and value > high:
                ends = ("-inf" if low is None else f"{float(low):g}", "inf" if high is None else f"{float(high):g}")
                message = f"the option `{option.name}` is from {ends[0]} to {ends[1]}"
                scope.report.refuse("CG219", message, node.span)
            return node
        case Ref(name) if name in scope.options and scope.options[name].kind in ("number", "scheduled"):
            return node
        case Choose(test, a, b, span):
            scope.test(test)
            return Choose(test, _number(option, a, scope), _number(option, b, scope), span)
    _refuse(option, node, scope, "a number, or an option of the stack that is one")


def _refuse(option: Option, node: Node, scope: Scope, wanted: str) -> None:
    name = node.name if isinstance(node, Ref) else ""
    help = nearest(name, [*option.words, *scope.options]) or f"write {wanted}, or a choice between them"
    said = f"`{node.span.text}`" if node.span is not None and len(node.span.text) < 30 else "this"
    scope.report.refuse("CG219", f"{said} is no value of the option `{option.name}`", node.span, help=help)


def _not(asked: Asked) -> Asked:
    if isinstance(asked, bool):
        return not asked
    return asked.test if isinstance(asked, Not) else Not(asked)


def _both(a: Asked, b: Asked) -> Asked:
    if isinstance(a, bool) or isinstance(b, bool):
        return (b if a else False) if isinstance(a, bool) else (a if b else False)
    return a if a == b else Both(a, b)


def _either(a: Asked, b: Asked) -> Asked:
    """`a or (not a and b)` is `a or b`."""
    if isinstance(a, bool) or isinstance(b, bool):
        return (True if a else b) if isinstance(a, bool) else (True if b else a)
    if b == _not(a):
        return True
    if isinstance(b, Both) and b.a == _not(a):
        b = b.b
    return a if a == b else Either(a, b)
