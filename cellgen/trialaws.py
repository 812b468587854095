"""Verdicts against numbers: no run at any scale contradicts what is called proved, and what is refuted is seen."""

import re
from collections.abc import Callable, Iterator, Mapping
from random import Random

import numpy as np

from cellgen.cell import Equal, FreeOf, Law, TypedCell, Within
from cellgen.compiler import Checked
from cellgen.diagnostics import Report
from cellgen.expr import Apply, Node, Number, Pick, Ref
from cellgen.lawtypes import exists, expression_types
from cellgen.meaning import defaults
from cellgen.prove import PROVED, spoken
from cellgen.randomrun import BATCH, Run, run_of

SCALES = (1e-3, 0.3, 1.0, 10.0, 1e3)
STEPS = 4
ROUNDING = 1e-9


def contradictions(checked: Checked, seed: int, note: Callable) -> Iterator[tuple[str, str]]:
    """(kind, detail) of each verdict that numbers contradict."""
    typed, rng = checked.typed, Random(seed)
    laws = [(law, verdict) for law, verdict in zip(typed.cell.laws, checked.verdicts.laws) if verdict.status == PROVED]
    stated = [found for verdict in checked.verdicts.traits if (found := _range(verdict)) is not None]
    if checked.stack is not None:
        return
    for scale in SCALES:
        variant = rng.choice(typed.variants)
        run = run_of(typed, variant, rng, scale, STEPS)
        trusted = defaults(typed.cell)
        plain = all(run.instance.settings.options[name] == word for name, word in trusted.items())
        for law, verdict in laws:
            note("laws tried")
            if verdict.why and not plain:
                continue
            what = _tried(law, run, scale, typed, rng)
            if what:
                yield ("a proved law is contradicted", f"{law.text}: {what} at scale {scale:g}")
                laws = [each for each in laws if each[0] is not law]
        if not plain:
            continue
        for env in _moments(run, {}):
            for names, low, high in stated:
                for name in names:
                    value = env.get(name)
                    if value is not None and value.size and _outside(value, low, high):
                        text = f"{name} in [{low}, {high}]: {float(value.min()):.6g} to {float(value.max()):.6g}"
                        yield ("a stated range is contradicted", f"{text} at scale {scale:g}")
        note("ranges tried", len(stated))


def _range(verdict):
    """The names and ends of a range that is shown in every variant."""
    if verdict.about != "range" or verdict.status != PROVED or "where" in verdict.why:
        return None
    match = re.fullmatch(r"(.*) in [\[(](\S+), (\S+)[\])]", verdict.claim)
    return match and (match[1].split(", "), _number(match[2]), _number(match[3]))


def _number(text: str) -> float:
    above, _, below = text.partition("/")
    return float(above) / float(below or 1)


def _outside(value: np.ndarray, low: float | None, high: float | None) -> bool:
    """Whether a finite number is outside, beyond rounding."""
    value = value[np.isfinite(value)]
    if not value.size:
        return False
    under = low is not None and value.min() < low - ROUNDING * (1 + abs(low))
    return bool(under or high is not None and value.max() > high + ROUNDING * (1 + abs(high)))


@np.errstate(all="ignore")
def _moments(run: Run, imposed: Mapping[Node, float]) -> Iterator[dict[str, np.ndarray]]:
    """The values of each step of a run under the interventions; the next goes on from what is without them."""
    instance = run.instance
    state = instance.initial_state(run.weights, BATCH)._asdict()
    for inputs in run.steps:
        plain = instance.evaluate(run.weights, inputs, state, run.training)
        yield instance.evaluate(run.weights, inputs, state, run.training, impose=imposed) if imposed else plain
        state = {
            name: np.array(np.broadcast_to(plain[name].reshape(_like(plain[name], old)), old.shape))
            for name, old in state.items()
        }
        if not all(np.isfinite(each).all() for each in state.values()):
            return


def _like(value: np.ndarray, old: np.ndarray) -> tuple[int, ...]:
    return value.shape if value.ndim in (0, old.ndim) else (*[1] * (old.ndim - value.ndim), *value.shape)


@np.errstate(all="ignore")
def _tried(law: Law, run: Run, scale: float, typed: TypedCell, rng: Random) -> str:
    """What contradicts a law in a run; or nothing."""
    variant, instance = run.variant, run.instance
    if not all(exists(typed, variant, node) for node in spoken(law)):
        return ""
    conditions, imposed = [], {}
    for fact in law.facts:
        base = fact.name.value if isinstance(fact.name, Pick) else fact.name
        if not isinstance(base, Ref) or base.name in instance.settings.options or base.name not in variant.names:
            return ""
        if variant.names[base.name].binary:
            conditions.append(fact)
        else:
            imposed[fact.name] = float(fact.value)

    def types(node: Node, root: str):
        return expression_types(typed, variant, node, (root,), Report())

    def value(node: Node, env, root: str = "law") -> np.ndarray:
        return instance.value(node, (root,), env, types(node, root), run.training)

    def holds(env) -> np.ndarray:
        rows = np.ones(BATCH, bool)
        for fact in conditions:
            there = np.abs(value(fact.name, env, "fact") - float(fact.value)) < 0.5
            rows &= there.reshape(BATCH, -1).all(1) if there.ndim and len(there) == BATCH else bool(there.all())
        return rows

    def counted(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return array[rows] if array.ndim and len(array) == BATCH else array if rows.any() else array.reshape(-1)[:0]

    claim = law.claim
    match claim:
        case Within(node, low, high):
            low, high = (_end(each, instance) for each in (low, high))
            for env in _moments(run, imposed):
                found = counted(value(node, env), holds(env))
                if _outside(found, low, high):
                    return f"{found.min():.6g} to {found.max():.6g}"
                if scale <= 1 and np.isnan(found).any():
                    return "it is NaN"
        case Equal(a, b):
            difference = Apply("sub", (a, b))
            for env in _moments(run, imposed):
                rows = holds(env)
                kinds = types(difference, "law")
                if kinds is None:
                    return ""
                apart = counted(instance.value(difference, ("law",), env, kinds, run.training), rows)
                sides = [instance.value(side, ("law", i), env, kinds, run.training) for i, side in enumerate((a, b))]
                size = 1 + max(float(np.abs(side[np.isfinite(side)]).max(initial=0)) for side in sides)
                size = max(
                    [size, *(float(np.abs(v[np.isfinite(v)]).max(initial=0)) for v in env.values() if scale > 1)]
                )
                apart = apart[np.isfinite(apart)]
                if apart.size and np.abs(apart).max() > 1e-6 * size:
                    return f"the sides are {np.abs(apart).max():.4g} apart"
        case FreeOf(node, of):
            if variant.names[of.name].binary:
                return ""
            for env in _moments(run, imposed):
                state = {each.name: env[f"{each.name}[t-1]"] for each in typed.cell.states}
                other = {**state, of.name: state[of.name] + 1 + rng.random()}
                names = [port.name for port in (*typed.cell.inputs, *typed.cell.noises) if port.name in env]
                inputs = {name: env[name] for name in names}
                moved = instance.evaluate(run.weights, inputs, other, run.training, impose=imposed)
                rows = holds(env) & holds(moved)
                one, two = (counted(value(node, each), rows) for each in (env, moved))
                if one.size and np.nanmax(np.abs(one - two), initial=0) > 1e-6 * (
                    1 + np.nanmax(np.abs(one), initial=0)
                ):
                    return "it changes with it"
    return ""


def _end(node: Node | None, instance) -> float | None:
    match node:
        case None:
            return None
        case Apply("neg", (inner,)):
            return -_end(inner, instance)
        case Number(value):
            return float(value)
        case Ref(name):
            value = instance.settings.options.get(name)
            return None if value is None else float(value)
