"""Single deviations of a generated cell: what a slip of the hand would have made of it.

Each mutant is the file with one change, by a name that says where: `sign _step:57`. The constructs are
those of the file itself, so a cell without a norm has no mutant of its span.
"""

import ast
import inspect
from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import count
from textwrap import dedent

NORMS = ("layer_norm", "rms_norm")


def mutants(text: str, wanted: Callable[[str], bool]) -> Iterator[tuple[str, ast.Module]]:
    """Every mutant of a generated file, of the kinds that are wanted: its name, and the file, one function changed."""
    tree = ast.parse(text)
    cell = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name.endswith("Cell"))
    scan = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    methods = [node for node in cell.body if isinstance(node, ast.FunctionDef)]
    declared = next(node for node in cell.body if isinstance(node, ast.Assign) and node.targets[0].id == "scan")
    places = [
        (scan["_step"], RULES),
        *((method, {"gates": swapped_gates}) for method in methods if method.name.startswith("_split_weights")),
        *((scan[name], FORWARD) for name in ("_before", "_forward") if name in scan),
        *((scan[name], BACKWARD) for name in ("_backward", "_after")),
        *((scan[name], FUSED) for name in ("_fused",) if name in scan),
        (declared, {"mask": other_mask, "ports": other_port}),
    ]
    for place, rules in places:
        for kind, rule in rules.items():
            for number in count() if wanted(kind) else ():
                changed = deepcopy(place)
                if (line := rule(changed, number)) is None:
                    break
                yield f"{kind} {getattr(place, 'name', 'scan')}:{line} ({number})", _exchanged(tree, place, changed)


def mutants_of_the_runtime(scan) -> Iterator[tuple[str, type, str, Callable]]:
    """Of what a `Scan` runs, each wrong choice in what a masked step leaves, and of a stack each wrong sign on the way
    back: a name, the class, its method, and what that becomes.
    """
    masked = {"hold": "_masked", "reset": "_start"}[scan.mask]
    places = [("mask", masked, swapped_where)]
    if hasattr(scan, "by_layer"):
        places.append(("back", "run_backward", other_sum))
    for kind, method, rule in places:
        owner = next(each for each in type(scan).__mro__ if method in vars(each))
        function = _without_late(ast.parse(dedent(inspect.getsource(vars(owner)[method]))).body[0])
        for number in count():
            changed = deepcopy(function)
            if (line := rule(changed, number)) is None:
                break
            names = dict(vars(owner)[method].__globals__)
            exec(compile(ast.Module([changed], []), method, "exec"), names)  # noqa: S102 - a function of our own
            yield f"{kind} {method}:{line} ({number})", owner, method, names[method]


def _without_late(function: ast.FunctionDef) -> ast.FunctionDef:
    """A method without the loop over what layers read of the step before of the one below: no shipped stack does."""

    class Without(ast.NodeTransformer):
        def visit_For(self, node: ast.For):
            self.generic_visit(node)
            return None if ast.unparse(node.iter) == "d_late" else node

    return ast.fix_missing_locations(Without().visit(function))


def _exchanged(node: ast.AST, old: ast.FunctionDef, new: ast.FunctionDef) -> ast.AST:
    """A module or class with one function for another. All others are shared: a file is large, and has many mutants."""
    if node is old:
        return new
    if not isinstance(node, ast.Module | ast.ClassDef):
        return node
    return type(node)(**{**vars(node), "body": [_exchanged(each, old, new) for each in node.body]})


# Each rule changes the `number`th of its places in a function, and gives its line; None when there is no such place.


def swapped_gates(function, number: int) -> int | None:
    """Two neighbours of what a split gives."""
    for node in ast.walk(function):
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Tuple)
            and not isinstance(node.value, ast.Name)
            and any(isinstance(each, ast.Attribute) and each.attr in ("split", "unstack") for each in ast.walk(node))
        ):
            names = [target for target in node.targets[0].elts if target.id != "_"]
            if number < len(names) - 1:
                names[number].id, names[number + 1].id = names[number + 1].id, names[number].id
                return node.lineno
            number -= max(len(names) - 1, 0)
    return None


def swapped_states(function, number: int) -> int | None:
    """Two neighbours of the state, where it is taken apart and where it is put together."""
    for node in ast.walk(function):
        names = []
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id == "state":
            names = node.targets[0].elts
        elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            names = node.value.elts[1].args
        if number < len(names) - 1:
            names[number].id, names[number + 1].id = names[number + 1].id, names[number].id
            return node.lineno
        number -= max(len(names) - 1, 0)
    return None


def wrong_sign(function, number: int) -> int | None:
    for node in ast.walk(function):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
            if number == 0:
                node.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
                return node.lineno
            number -= 1
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Name):
            if number == 0:
                node.op = ast.UAdd()
                return node.lineno
            number -= 1
    return None


def norm_span(function, number: int) -> int | None:
    """One axis more than the spec says."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in NORMS:
            if number == 0:
                node.args[1].value += 1
                return node.lineno
            number -= 1
    return None


def last_for_new(function, number: int) -> int | None:
    """`c_prev` where the new `c` is meant, and the other way round below its definition."""
    states = {target.id.removesuffix("_prev") for target in _unpacked(function)}
    defined: set[str] = set()
    for statement in function.body:
        reads = [node for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
        for node in reads if not isinstance(statement, ast.Return) else reads[:1]:
            other = f"{node.id}_prev" if node.id in states else node.id.removesuffix("_prev")
            if other == node.id or (node.id not in states and (other not in states or other not in defined)):
                continue
            if number == 0:
                node.id = other
                return node.lineno
            number -= 1
        defined |= {
            node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
    return None


def _unpacked(function) -> list[ast.Name]:
    return next(
        node.targets[0].elts
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id == "state"
    )


def other_port(declared, number: int) -> int | None:
    """A state of a neighbour where another of it is meant."""
    given = {each.arg: each.value for each in declared.value.keywords}
    read = [value for side in ("below", "above") if side in given for value in given[side].values]
    states = [value for value in read if value.value not in _shown(given)]
    if number >= len(states):
        return None
    name = states[number].value.removesuffix("[t-1]")
    states[number].value = states[number].value.replace(name, "h" if name != "h" else "c", 1)
    return states[number].lineno


def _shown(given: dict) -> set[str]:
    """What a layer shows besides its state."""
    return {key.value for key in given["shown"].keys} if "shown" in given else set()


def other_sum(function, number: int) -> int | None:
    """A derivative taken off where it is added."""
    for node in ast.walk(function):
        if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
            if number == 0:
                node.op = ast.Sub()
                return node.lineno
            number -= 1
    return None


def swapped_where(function, number: int) -> int | None:
    """An inverted mask, or a choice on data the wrong way round."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and "where" in (getattr(node.func, "attr", ""), getattr(node.func, "id", "")):
            if number == 0:
                node.args[1], node.args[2] = node.args[2], node.args[1]
                return node.lineno
            number -= 1
    return None


def other_mask(declared, number: int) -> int | None:
    """The other rule for a masked step, or one state less that it resets."""
    given = {each.arg: each.value for each in declared.value.keywords}
    if number == 0:
        given["mask"].value = "hold" if given["mask"].value == "reset" else "reset"
        return given["mask"].lineno
    if number == 1 and "reset" in given:
        del given["reset"].elts[0]
        return given["reset"].lineno
    return None


def undropped(function, number: int) -> int | None:
    """What is drawn left out, or read where nothing is trained."""
    for node in ast.walk(function):
        if isinstance(node, ast.If | ast.IfExp) and isinstance(node.test, ast.Name) and node.test.id == "training":
            if number == 0:
                node.body = deepcopy(node.orelse)
                return node.lineno
            number -= 1
    return None


RULES = {
    "gates": swapped_gates,
    "states": swapped_states,
    "sign": wrong_sign,
    "norm": norm_span,
    "last": last_for_new,
    "where": swapped_where,
    "noise": undropped,
}

# what the layer's own functions are held to, by the tests of the scan and of gradients
FORWARD = {f"scan-{kind}": rule for kind, rule in RULES.items() if kind != "last"}
BACKWARD = {f"back-{kind}": RULES[kind] for kind in ("sign", "where", "noise")}
FUSED = {f"fused-{kind}": RULES[kind] for kind in ("gates", "sign")}  # held by what stands in the place of cuDNN
