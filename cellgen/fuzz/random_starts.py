"""What the weights of a random cell start from, and whether they are trained: the text of their declarations."""

from random import Random

from cellgen.fuzz.random_text import Dims, shape_text

PLAIN = "glorot_uniform", "he_normal", "lecun_uniform", "0.5", '"uniform(-1, 1)"', '"normal(0.5)"', "ones"


def declared(rng: Random, shape: Dims) -> str:
    """A weight's declaration: its shape alone, or a mapping."""
    init = ""
    if rng.random() < 0.2:
        init = rng.choice(PLAIN)
        if len(shape) == 1 and init[:2] in ("gl", "he", "le"):
            init = "zeros"
    if rng.random() < 0.08:
        init = f'"{_formula(rng, shape)}"'
    flat = shape_text(shape)
    said = [f"init: {init}"] if init else []
    said += ["trainable: false"] if rng.random() < 0.08 else []
    return f"{{{', '.join([f'shape: {flat}', *said])}}}" if said else flat


def _formula(rng: Random, shape: Dims) -> str:
    """What a weight starts from, of sizes, ranges and what is drawn."""
    named = [dim for dim in shape if dim.isidentifier() and len({*shape}) == len(shape)]
    ways = ["uniform(-1 / sqrt(units), 1 / sqrt(units))", "0.5 * normal(1) * bernoulli(0.5)", "1 / (units + 1)"]
    for dim in named:
        ways += [f"log(range({dim}) + 1)", f"0.5 ** range({dim}) - 0.1 * ones", f"sin(pi * range({dim}) / {dim})"]
    if len(shape) == 1 and named:
        ways += ["0.1 * hippo_legs", "zoh(hippo_legt, 1 / units)"]
    if len(shape) == 2 and shape[0] == shape[1]:
        ways += ["spectral_radius(uniform(-1, 1) * bernoulli(0.7), 0.9)", "bilinear(hippo_legs, 0.1)"]
    return rng.choice(ways)


def from_each_other(rng: Random, params: dict[str, str], equations: str) -> None:
    """Perhaps a weight that starts from one above it, where all are in every variant."""
    plain = [name for name, shape in params.items() if shape.startswith("[") and " if " not in equations]
    pairs = [(a, b) for at, b in enumerate(plain) for a in plain[:at] if params[a] == params[b]]
    if pairs and rng.random() < 0.2:
        first, later = rng.choice(pairs)
        params[later] = f"{{shape: {params[later]}, init: -0.5 * {first}}}"
