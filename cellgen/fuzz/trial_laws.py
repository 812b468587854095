"""Verdicts against numbers: no run at any scale contradicts what is called proved, and what is refuted is seen."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from fractions import Fraction
from random import Random

import numpy as np

from cellgen.compiler import Checked
from cellgen.diagnostics import Report
from cellgen.fuzz.random_run import BATCH, Run, constructor, run_of
from cellgen.interpret import Instance
from cellgen.ir import (
    Apply,
    Cell,
    Equal,
    FreeOf,
    Interval,
    Law,
    Node,
    Number,
    Pick,
    ReducesTo,
    Ref,
    TypedCell,
    Within,
    intervals,
    precise,
)
from cellgen.prove import PROVED, REFUTED, defaults, spoken
from cellgen.refute import BATCH as DRAWN
from cellgen.refute import DIGITS, Again, Moment, Trial, moments, undefined
from cellgen.shapes import exists, expression_types, shapes

SCALES = (1e-3, 0.3, 1.0, 10.0, 1e3)
STEPS = 4
ROUNDING = 1e-9
MOVES = 200  # of what a value is said to be free of: a threshold may be far
DECLARED = ("equations", "states", "params", "inputs", "options")


def contradictions(checked: Checked, seed: int, note: Callable) -> Iterator[tuple[str, str]]:
    """(kind, detail) of each verdict that numbers contradict."""
    typed, rng = checked.typed, Random(seed)
    laws = [(law, verdict) for law, verdict in zip(typed.cell.laws, checked.verdicts.laws) if verdict.status == PROVED]
    stated = [found for verdict in checked.verdicts.traits if (found := _range(verdict)) is not None]
    if checked.stack is not None:
        return
    for law, verdict in zip(typed.cell.laws, checked.verdicts.laws):
        itself = isinstance(law.claim, ReducesTo) and not law.claim.negated and alike(typed.cell, law.claim.other)
        if itself:
            note(f"reduces to itself: {verdict.status}")
        if verdict.status == REFUTED:
            note("refuted")
            if itself or not seen(checked, law, verdict.why, note):
                yield ("a law is refuted by what does not contradict it", f"{law.text}: {verdict.why}")
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
        for before, env in _steps(run, {}):
            for names, low, high in stated:
                for name in names:
                    value = env.get(name)
                    if value is not None and value.size and _outside(value, low, high):
                        if not _exactly(run, (*before, env), {}, low, high, lambda _, exact, name=name: exact[name]):
                            note("outside by rounding")
                            continue
                        text = f"{name} in [{low}, {high}]: {float(value.min()):.6g} to {float(value.max()):.6g}"
                        yield ("a stated range is contradicted", f"{text} at scale {scale:g}")
        note("ranges tried", len(stated))


def alike(one: Cell, other: Cell) -> bool:
    """Whether both say the same."""
    return all(getattr(one, name) == getattr(other, name) for name in DECLARED)


def _range(verdict):
    """The names and ends of a range that is shown in every variant."""
    if verdict.about != "range" or verdict.status != PROVED or "where" in verdict.why:
        return None
    match = re.fullmatch(r"(.*) in [\[(](\S+), (\S+)[\])]", verdict.claim)
    return match and (match[1].split(", "), _number(match[2]), _number(match[3]))


def _number(text: str) -> float | None:
    """The end of a range; None if it has none there."""
    above, _, below = text.partition("/")
    return None if "inf" in above else float(above) / float(below or 1)


def _outside(value: np.ndarray, low: float | None, high: float | None) -> bool:
    """Whether a finite number is outside, beyond rounding."""
    value = value[np.isfinite(value)]
    if not value.size:
        return False
    under = low is not None and value.min() < low - ROUNDING * (1 + abs(low))
    return bool(under or high is not None and value.max() > high + ROUNDING * (1 + abs(high)))


def _exactly(run: Run, envs: tuple, imposed: Mapping, low: float | None, high: float | None, read: Callable) -> bool:
    """Whether what is read of the last step is outside in exact numbers too, for some sample. In float64 a sigmoid is 0
    where it is less than the least double, and what chooses by that goes the other way.
    """
    within = intervals.closed(*(None if end is None else Fraction(end) for end in (low, high)))
    for row in range(BATCH):
        with precise(DIGITS[-1]):
            again = Again(run.instance, run.training, envs, row, False, imposed)
            found = read(again, again.env())
        if any(isinstance(each, Interval) and intervals.disjoint(each, within) for each in found.flat):
            return True
    return False


def _moments(run: Run, imposed: Mapping[Node, float]) -> Iterator[dict[str, np.ndarray]]:
    """The values of each step of a run under the interventions."""
    return (env for _, env in _steps(run, imposed))


@np.errstate(all="ignore")
def _steps(run: Run, imposed: Mapping[Node, float]) -> Iterator[tuple[tuple, dict[str, np.ndarray]]]:
    """The values of each step of a run under the interventions, after those of the steps before it; the next goes on
    from what is without them.
    """
    instance, before = run.instance, ()
    state = instance.initial_state(run.weights, BATCH)._asdict()
    for inputs in run.steps:
        plain = instance.evaluate(run.weights, inputs, state, run.training)
        under = instance.evaluate(run.weights, inputs, state, run.training, impose=imposed) if imposed else plain
        yield before, under
        before = (*before, plain)
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
            for before, env in _steps(run, imposed):
                found = counted(value(node, env), holds(env))
                if _outside(found, low, high) and _exactly(
                    run,
                    (*before, env),
                    imposed,
                    low,
                    high,
                    lambda again, exact: again.value(node, ("law",), types(node, "law"), exact),
                ):
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
        case ReducesTo(other=other, negated=negated):
            theirs = Instance(shapes(other), constructor(instance))
            for env in _moments(run, {}):
                name, here, there = between(env, theirs, turned(run.weights, negated), typed.cell, run.training)
                if np.abs(here - there).max(initial=0) > 1e-6 * (1 + np.abs(here).max(initial=0)):
                    return f"{name} is {np.abs(here - there).max():.4g} apart"
    return ""


def turned(weights: Mapping, names: Collection[str]) -> dict:
    """The weights, of which some have the other sign."""
    return {name: np.negative(value) if name in names else value for name, value in weights.items()}


def between(env: Mapping, theirs: Instance, weights: Mapping, cell: Cell, training: bool) -> tuple:
    """Of a step of ours, what another cell makes of the same numbers: the value that differs most, ours and theirs."""
    inputs = {port.name: env[port.name] for port in (*cell.inputs, *cell.noises) if port.name in env}
    state = {each.name: env[f"{each.name}[t-1]"] for each in cell.states}
    found = theirs.evaluate(weights, inputs, state, training)
    both = []
    for name in (*state, cell.output):
        here, there = (np.nan_to_num(each[name], nan=0, posinf=0, neginf=0) for each in (env, found))
        both.append((name, *np.broadcast_arrays(here, there)))
    return max(both, key=lambda each: np.abs(each[1] - each[2]).max(initial=0))


# --- what is refuted --------------------------------------------------------------------------------------------------


@np.errstate(all="ignore")
def seen(checked: Checked, law: Law, why: str, note: Callable) -> bool:
    """Whether the numbers that are told of a refuted law contradict it, in the step that is told, evaluated anew."""
    told = next(each for each in checked.verdicts.diagnostics if each.code == "CG401" and each.label.span == law.span)
    if not told.label.text.startswith("step "):
        return True  # it is no matter of numbers
    typed = checked.typed
    for variant in typed.variants:
        if not all(exists(typed, variant, node) for node in spoken(law)):
            continue
        trial = Trial(typed, variant, iter(range(10**7)), law.facts, dict(law.choices))
        there = (each for each in moments(trial) if each.where == told.label.text)  # several runs may have such sizes
        if any(_contradicts(law, moment, trial, why) for moment in there):
            note("counterexamples tried")
            return True
    return False


def _contradicts(law: Law, moment: Moment, trial: Trial, why: str) -> bool:
    typed, training = trial.typed, moment.training

    def value(node: Node, root: str = "law", env: Mapping | None = None) -> np.ndarray:
        types = expression_types(typed, trial.variant, node, (root,), Report())
        return np.asarray(moment.instance.value(node, (root,), moment.env if env is None else env, types, training))

    def counted(array: np.ndarray, env: Mapping | None = None) -> np.ndarray:
        """Of the samples for which the conditions hold."""
        for fact in trial.conditions():
            there = np.abs(value(fact.name, "fact", env) - float(fact.value)) < 0.5
            if there.ndim and len(there) == DRAWN and array.shape[:1] == (DRAWN,):
                array = np.where(there.reshape(DRAWN, -1).all(1).reshape(-1, *[1] * (array.ndim - 1)), array, np.nan)
        return array

    def printed(array: np.ndarray) -> bool:
        return any(f" = {number:.4g}" in why for number in array.reshape(-1))

    if "is not a number" in why:
        name = why.split(" is not")[0]
        return not np.isfinite(moment.env.get(name, np.nan)).all() or _is_none(moment, trial, name)
    match law.claim:
        case Within(node, low, high, low_open, high_open):
            found = counted(value(node))
            low, high = (_end(each, moment.instance) for each in (low, high))
            beyond = np.zeros(found.shape, bool)
            if low is not None:
                beyond |= found <= low if low_open else found < low
            if high is not None:
                beyond |= found >= high if high_open else found > high
            return printed(found[beyond])
        case Equal(a, b):
            difference, one, other = counted(value(Apply("sub", (a, b)))), value(a), value(b)
            return bool((np.abs(difference) > 0).any()) and ("differ by" in why or printed(one) and printed(other))
        case FreeOf(node, of):
            rng = np.random.default_rng(0)
            kind = "state" if of.ago else "inputs" if of.name in moment.inputs else "weights"
            old = np.asarray(getattr(moment, kind)[of.name])
            binary = typed.cell.state(of.name).binary if of.ago else trial.variant.names[of.name].binary
            found = counted(value(node))
            for _ in range(MOVES):
                new = 1 - old if binary else old + rng.normal(size=old.shape)
                other = moment.again(trial, **{kind: {**getattr(moment, kind), of.name: new}})
                if (np.abs(found - counted(value(node, "law", other.env), other.env)) > 0).any():
                    return True
            return False
        case ReducesTo(other=other, negated=negated):
            theirs = Instance(shapes(other), constructor(moment.instance))
            name, here, there = between(moment.env, theirs, turned(moment.weights, negated), typed.cell, training)
            return bool((np.abs(here - there) > 0).any())
    return False


def _is_none(moment: Moment, trial: Trial, name: str) -> bool:
    """Whether a value is no number in exact ones: in float64 what is infinite may be cut off to a number."""
    for row in range(DRAWN):
        with precise(DIGITS[-1]):
            env = moment.exactly(row, trial.imposed(moment.instance)).env()
        if undefined(env, [name]):
            return True
    return False


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
