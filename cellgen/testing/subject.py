"""What a generated test file declares, and what its spec says about it."""

import functools
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from types import ModuleType

import pytest

from cellgen.compiler import Spec
from cellgen.interpret import Instance
from cellgen.ir import Apply, Cell, Ref, TypedCell, walk
from cellgen.stack import Stack
from cellgen.testing.check import told_in_full
from cellgen.testing.trial import Trial

SIZES = ("small", "other")
HALVES = {"mixed_bfloat16": 0.2, "mixed_float16": 0.03}  # how near a policy comes
RATE = 0.4  # of what training drops, where an option says how much
JUMPS = ("step", "where", "floor", "mod")  # a rounding of their argument may change their value by 1


@dataclass(frozen=True, eq=False, kw_only=True)
class Subject:
    """A generated module, and what its tests try it with.

    spec: the text that it was generated from; beside: of a stack, that of its cell, by name. checksum: what the first
    line of the module says. bound: how near float64 comes to the oracle. sizes: two choices of the dims; cases: options
    and dims on top of them, each by itself and then together. Raises ImportError if the module is of another build.
    """

    built: ModuleType
    spec: str
    beside: Mapping[str, str] = field(default_factory=dict)
    checksum: str
    bound: float
    sizes: Sequence[dict]
    cases: Sequence[dict]

    def __post_init__(self):
        with open(self.built.__file__, encoding="utf-8") as file:
            if self.checksum not in file.readline():
                told = f"{self.stem}.py is not of the same build as these tests: run `cellgen build` once more"
                raise ImportError(told)

    # what is tried

    def test(self, check: Callable[..., None]) -> Callable[..., None]:
        """A check of this subject as a test of pytest's, for each of what it is tried with; the rest are fixtures."""

        @functools.wraps(check)
        def test(*tried, **fixtures) -> None:
            __tracebackhide__ = told_in_full
            check(self, *tried, **fixtures)

        signature = inspect.signature(check)
        names = [name for name in signature.parameters if name != "subject"]
        test.__signature__ = signature.replace(parameters=[signature.parameters[name] for name in names])
        tried = [name for name in names if name in ("case", "sizes", "policy")]
        if tried:
            values = [each for each in product(*map(self._choices, tried)) if self._is_worth_it(dict(zip(tried, each)))]
            ids = ["-".join(map(self.id_of, tried, each)) for each in values]
            test = pytest.mark.parametrize(tried, values, ids=ids)(test)
        return test

    def _choices(self, name: str) -> Sequence:
        return {"case": self.cases, "sizes": self.sizes, "policy": tuple(HALVES)}[name]

    def _is_worth_it(self, tried: Mapping) -> bool:
        """Options with other sizes are tried all together, not each by itself."""
        return tried.get("sizes") != self.sizes[1] or tried.get("case", {}) in (self.cases[0], self.cases[-1])

    def id_of(self, name: str, value) -> str:
        """How pytest calls what a test is tried with; of a fixture, nothing."""
        match name:
            case "case":
                return ",".join(value) or "default"
            case "sizes":
                return SIZES[self.sizes.index(value)]
            case "policy":
                return value
        return ""

    def trial(self, case: Mapping, sizes: Mapping | None = None, **arguments) -> Trial:
        """One that tests share: they run it, and change nothing of it."""
        return _shared(self, *map(json.dumps, (case, sizes or self.sizes[0], arguments)))

    # what the spec says

    @property
    def stem(self) -> str:
        return self.built.__name__

    @cached_property
    def _spec(self) -> Spec:
        return _read(self.spec, self.stem, tuple(self.beside.items()))

    @cached_property
    def declared(self) -> Cell | Stack:
        """What says its arguments: the cell, or the stack."""
        return self._spec.stack(laws=False) if self._spec.is_stack else self._spec.cell(laws=False)

    @property
    def Layer(self) -> type:
        return getattr(self.built, self.declared.name)

    @property
    def Cell(self) -> type:
        return getattr(self.built, f"{self.declared.name}Cell")

    @property
    def inferred(self) -> set[str]:
        """The dims that a layer is not given: its inputs say them."""
        kinds = ("inferred",) if self._spec.is_stack else ("inferred", "optional")
        return {dim.name for dim in self.declared.dims if dim.kind in kinds}

    @property
    def scheduled(self) -> list[str]:
        """The options that are set while training."""
        return [option.name for option in self.declared.options if option.kind == "scheduled"]

    def oracle(self, given: Mapping) -> Instance:
        """The cell as the interpreter runs it; to it the layers of a stack are one cell."""
        if not self._spec.is_stack:
            return Instance(self._spec.typed(laws=False), given)
        stack, given = self.declared, dict(given)
        if stack.sizes:
            lists = {name: given.pop(name) for name in stack.sizes if name in given}
            depth = len(next(iter(lists.values())))
            given |= {f"layer{at + 1}_{name}": size for name, sizes in lists.items() for at, size in enumerate(sizes)}
        else:
            depth = given.pop(stack.depth)
        return Instance(_as_one(self.spec, self.stem, tuple(self.beside.items()), depth), given)


def rates(cell: Cell) -> dict[str, float]:
    """Options with which training drops."""
    return {noise.rate.name: RATE for noise in cell.noises if isinstance(noise.rate, Ref)}


def dropped(cell: Cell) -> dict[str, float]:
    """How often training drops each, with those options."""
    return {noise.name: RATE if isinstance(noise.rate, Ref) else float(noise.rate.value) for noise in cell.noises}


def jumps(cell: Cell) -> bool:
    """Whether a value may change abruptly with what it is computed from."""
    nodes = (node for each in cell.equations for _, node in walk(each.value))
    return any(isinstance(node, Apply) and node.op in JUMPS for node in nodes)


# Subjects of one spec share what is read of it: mutants of a module, say.


@functools.cache
def _read(text: str, stem: str, beside: tuple[tuple[str, str], ...]) -> Spec:
    return Spec.of(text, stem, dict(beside))


@functools.cache
def _as_one(text: str, stem: str, beside: tuple[tuple[str, str], ...], depth: int) -> TypedCell:
    return _read(text, stem, beside).flat(depth)


@functools.lru_cache(maxsize=32)
def _shared(subject: Subject, case: str, sizes: str, arguments: str) -> Trial:
    return Trial(subject, json.loads(case), json.loads(sizes), **json.loads(arguments))
