"""A loop in a random cell: of one of its equations, some micro-steps."""


def micro_steps(writing) -> None:
    """Makes of one equation some micro-steps."""
    rng = writing.rng
    found = [
        (index, name, text, writing.of(name))
        for index, (name, shape, text) in enumerate(writing.equations)
        if not shape and "affine(" not in text and writing.kinds.get(name) != "binary" and writing.of(name) is not None
    ]
    if not found:
        return
    index, name, text, dims = rng.choice(found)
    k, count, axis = rng.choice(("k", "j")) + "_", rng.choice((1, 2, 3)), writing.chance(0.6)
    if axis:
        writing.sections["axes"]["depth"] = str(count)
    carried = [f"{state}[t-1]" for state, shape in writing.states.items() if shape == dims]
    start = rng.choice(carried) if carried and writing.chance(0.8) else f"0.5 * ({text})"
    old, inside = f"{name}[{k}-1]", []
    way = rng.choice((f"tanh({old})", f"{old} / {k}", f"({old} if {k} == 1 else sin({old}))"))
    if axis and writing.chance(0.6):
        way = f"{old} * {writing.weight(('depth', *dims), 'b')}[{k}]"
    if writing.chance(0.4):
        inside, way = [f"    q_{k} = {way}"], f"sigmoid(q_{k})"
    writing.bodies[index] = [
        f"  {name}[0] = {start}",
        f"  for {k} in {'depth' if axis else count}:",
        *inside,
        f"    {name} = 0.5 * ({text}) + {way}",
    ]
