"""One random cell, tried: what the compiler says of it against numbers.

In numpy: the derived step against the author's equations and against finite differences, every proved law and range
against runs at extreme scales. Whatever ends otherwise than in a value or in a diagnostic is a `Failure`.
"""

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import starmap
from pathlib import Path
from random import Random

import numpy as np

from cellgen.compiler import Spec, planned, shipped
from cellgen.diagnostics import SpecError
from cellgen.document import Library
from cellgen.fuzz.backward_run import Derived
from cellgen.fuzz.plan_run import Planned
from cellgen.fuzz.random_run import Run, constructor, run_of
from cellgen.fuzz.random_spec import Case
from cellgen.fuzz.trial_laws import DECLARED, contradictions
from cellgen.interpret import Instance, Reference, derivative
from cellgen.ir import TypedCell
from cellgen.schedule import Plan
from cellgen.show import planscreen, screen
from cellgen.text import spelled

CLOSE = 1e-8  # relative: values that are computed in two ways
SLOPE = 1e-5  # relative: derivatives beside finite differences
NEAR = 1e-7  # of a kink: values on both sides of it may differ
TOO_LARGE = 1e6  # numbers beyond it say nothing about roundoff


# the kinds of failure that a stage can end in
STAGES = {
    "extends": ("extends",),
    "check": ("check", "the proof", "a proved law", "a stated range", "a law is refuted", "laws"),
    "plan": ("plan", "numbers", "the derived", "the planned"),
    "build": ("build", "run", "generated"),
}


@dataclass(frozen=True)
class Failure:
    """`kind` is the same for failures that look the same; `detail` are a few lines about this one."""

    kind: str
    detail: str = ""


@dataclass
class Outcome:
    """What became of a case. `refused` are the codes of the diagnostics that ended it; `notes` count what was tried."""

    failures: list[Failure] = field(default_factory=list)
    refused: tuple[str, ...] = ()
    notes: dict[str, int] = field(default_factory=dict)

    def note(self, what: str, count: int = 1) -> None:
        self.notes[what] = self.notes.get(what, 0) + count


def spec_of(case: Case, folder: Path) -> Spec:
    """The spec of a case; what it extends or stacks is written into the folder. Raises `SpecError`."""
    for stem, text in case.beside.items():
        (folder / f"{stem}.yaml").write_text(text, encoding="utf-8")
    return Spec(spelled(f"{case.stem}.yaml", case.text), case.stem, Library((folder, shipped())))


def attempt(case: Case, folder: Path, seed: int, runs: Callable | None = None, only: str = "") -> Outcome:
    """Everything that is tried of a case. runs: what tries its generated code, of (files, spec, typed, outcome, seed).

    only: a kind of failure; stages that do not lead to it are left out.
    """
    outcome = Outcome()

    def stage(name: str, work: Callable):
        """What `work` gives; None when it ended in a diagnostic or a failure, which is taken down."""
        if only and name in STAGES and not any(only.startswith(each) for each in STAGES[name]):
            return None
        try:
            return work()
        except SpecError as error:
            outcome.refused = tuple(sorted({each.code for each in error.diagnostics}))
        except Exception as error:
            outcome.failures.append(Failure(f"{name}: {crash(error)}", tail(error)))
        return None

    spec = stage("read", lambda: spec_of(case, folder))
    typed = spec and stage("typed", spec.typed)
    if typed is None:
        return outcome
    if "whole" in case.beside:
        stage("extends", lambda: _extended(typed, case, folder, outcome))
    checked = stage("check", spec.check)
    if checked is not None:
        outcome.note("checked")
        stage("check", lambda: screen(checked))
        if wrong := checked.proof.wrong:
            outcome.failures.append(Failure("the proof: no derivative", ", ".join(wrong)))
        stage("laws", lambda: outcome.failures.extend(starmap(Failure, contradictions(checked, seed, outcome.note))))
    numeric = stage("flat", lambda: spec.flat(2)) if spec.is_stack else typed
    if numeric is not None:
        plan = stage("plan", lambda: planned(numeric))
        if plan is not None:
            stage("plan", lambda: planscreen(plan))
            stage("numbers", lambda: numerical(numeric, plan, seed, outcome))
    before = outcome.refused
    outcome.refused = ()
    files = stage("build", lambda: spec.build(tests=False))
    if files is not None:
        outcome.note("built")
        if runs is not None:
            stage("run", lambda: runs(files, spec, numeric, outcome, seed))
    outcome.refused = outcome.refused or before
    return outcome


def crash(error: BaseException) -> str:
    """An exception by its type and the innermost places in cellgen: the same for the same cause."""
    found = traceback.extract_tb(error.__traceback__)
    frames = [each for each in found if any("cellgen" in part for part in Path(each.filename).parts[-3:-1])]
    places = [f"{Path(each.filename).stem}.{each.name}" for each in frames]
    return f"{type(error).__name__} in {' < '.join(list(dict.fromkeys(reversed(places)))[:3]) or 'no place of ours'}"


def tail(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:500]


def _extended(typed: TypedCell, case: Case, folder: Path, outcome: Outcome) -> None:
    """A spec that extends another is the one that says it all."""
    whole = Spec(spelled("whole.yaml", case.beside["whole"]), "whole", Library((folder, shipped()))).typed()
    for name in DECLARED:
        if getattr(typed.cell, name) != getattr(whole.cell, name):
            outcome.failures.append(Failure(f"extends: other {name}", ""))
    outcome.note("extends")


# --- numbers --------------------------------------------------------------------------------------------------------


def numerical(typed: TypedCell, plan: Plan, seed: int, outcome: Outcome) -> None:
    """The derived step of some variants beside the equations, and its derivatives beside finite differences."""
    rng = Random(seed)
    variants = [typed.default, *rng.sample(typed.variants, min(2, len(typed.variants)))]
    for variant in {id(each): each for each in variants}.values():
        for _ in range(3):
            if compared(typed, plan, run_of(typed, variant, rng), rng, outcome):
                break


@np.errstate(all="ignore")
def compared(typed: TypedCell, plan: Plan, run: Run, rng: Random, outcome: Outcome) -> bool:
    """Whether there was anything to compare; what differs is taken down."""
    instance, cell = run.instance, typed.cell
    reference = Reference()

    def forward(weights, xs, state):
        outputs = []
        for at, inputs in enumerate(run.steps):
            inputs = {**inputs, **({first: xs[at]} if xs is not None else {})}
            output, new = instance.step(weights, inputs, state, run.training, reference=reference, at=at)
            state = new._asdict()
            outputs.append(output)
        return np.stack(outputs, 1), state

    first = cell.inputs[0].name
    xs = [inputs[first] for inputs in run.steps]
    outputs, final = forward(run.weights, xs, run.state)
    values = [outputs, *final.values()]
    if not all(np.isfinite(each).all() and np.abs(each).max(initial=0) < TOO_LARGE for each in values):
        outcome.note("not finite")
        return False
    normal = np.random.default_rng(rng.randrange(2**32))
    d_output = normal.normal(size=outputs.shape)
    d_final = {name: normal.normal(size=value.shape) for name, value in final.items()}
    filled = [_filled(instance, run, at) for at in range(len(run.steps))]
    arguments = run.weights, filled, run.state, d_output, d_final, run.training
    ours, ended, slopes = Derived(plan.joint, constructor(instance)).slopes(*arguments)
    if reference.margin > NEAR:
        outcome.note("forward compared")
        for name, came, wanted in (("output", ours, outputs), *((name, ended[name], final[name]) for name in final)):
            if not np.allclose(came, wanted, rtol=CLOSE, atol=CLOSE * max(1.0, np.abs(wanted).max(initial=0))):
                worst = np.abs(came - wanted).max()
                outcome.failures.append(Failure("the derived step has other values", f"{name} is {worst:.3g} off"))
                return True
        _planned(Planned(plan, constructor(instance)).slopes(*arguments), (ours, ended, slopes), outcome)
    step = min(1e-4, reference.margin / 300)
    if step < 1e-7:
        outcome.note("at a kink")
        return False
    trained = {name: value for name, value in run.weights.items() if name not in cell.frozen}
    at = {f"W {name}": value for name, value in trained.items()} | {f"x {t}": x for t, x in enumerate(xs)}
    if cell.inputs[0].binary:
        at = {name: value for name, value in at.items() if name[0] == "W"}
    at |= {f"h {each.name}": run.state[each.name] for each in cell.states if not each.binary}
    own = dict(_sorted(slopes, run, first))
    along = {name: normal.normal(size=value.shape) for name, value in at.items()}

    def loss(at):
        weights = {name: at.get(f"W {name}", value) for name, value in run.weights.items()}
        moved = [at.get(f"x {t}", x) for t, x in enumerate(xs)]
        state = {name: at.get(f"h {name}", value) for name, value in run.state.items()}
        outputs, final = forward(weights, moved, state)
        return float(np.sum(outputs * d_output) + sum(np.sum(final[name] * d) for name, d in d_final.items()))

    for name in at:
        own.setdefault(name, np.zeros(at[name].shape))
    terms = {name: float(np.sum(own[name] * along[name])) for name in at}
    came = sum(terms.values())
    if not max(map(abs, terms.values()), default=0) < TOO_LARGE:
        outcome.note("too steep")
        return False
    wanted, scale = derivative(loss, at, along, step), 1 + sum(map(abs, terms.values())) + abs(loss(at)) * 1e-3
    outcome.note("gradient compared")
    if not abs(came - wanted) <= SLOPE * scale:
        unsure = max(abs(wanted - derivative(loss, at, along, step / part)) for part in (4, 64))  # of what bends
        detail = []
        for name, direction in along.items():  # which of them
            apart = derivative(loss, at, {name: direction}, step)
            if not abs(apart - terms[name]) <= SLOPE * scale + 10 * unsure:
                detail.append(f"{name}: derived {terms[name]:.6g}, by differences {apart:.6g}")
        if detail and not abs(came - wanted) <= SLOPE * scale + 10 * unsure:
            outcome.failures.append(Failure("the derived gradient is wrong", "; ".join(detail[:4])))
    return True


def _planned(came: tuple, wanted: tuple, outcome: Outcome) -> None:
    """What the scheduled statements give beside the derived equations."""
    outcome.note("plans compared")
    for kind, own, other in (
        ("value", {"output": came[0]}, {"output": wanted[0]}),
        *(("value" if index == 1 else "gradient", came[index], wanted[index]) for index in (1, 2)),
    ):
        for name, value in other.items():
            scale = max(1.0, np.abs(value[np.isfinite(value)]).max(initial=0))
            mine = own.get(name, np.zeros_like(value))
            near = mine.shape == value.shape and np.allclose(mine, value, rtol=1e-6, atol=1e-7 * scale, equal_nan=True)
            if not near:  # a slope may be none, as that of a root at 0
                outcome.failures.append(Failure(f"the planned step has another {kind}", name))


def _filled(instance: Instance, run: Run, at: int) -> dict[str, np.ndarray]:
    """Every input of a step, with what is drawn."""
    return instance._inputs(run.steps[at], ("batch",), run.training)


def _sorted(slopes: Mapping[str, np.ndarray], run: Run, first: str):
    """The derivatives by the names under which they are tried."""
    for name, value in slopes.items():
        if name in run.weights:
            yield f"W {name}", value.reshape(run.weights[name].shape)
        elif name == first:
            yield from ((f"x {t}", value[:, t]) for t in range(value.shape[1]))
        elif name.endswith("[t-1]"):
            yield f"h {name[:-5]}", value
