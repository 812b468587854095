"""The whole stack of HM-LSTM, Chung, Ahn & Bengio 2016 (arXiv:1609.01704), eq. 2-9, 11 and 12.

`step` and `scan` compute values, one sample at a time, by cases. `reference` is the program whose derivative is the
gradient: over a batch, z a real number. A state is flat, (c1, h1, z1, c2, ...), layer 1 first; z is (batch, 1). Weights
go by name, layer1/W to readout/emb3. Blocks of a slab: f, i, o, g of n columns each, then one for z, which a layer
without a boundary detector lacks; that is the last one, if not `top_detector`.
"""

import numpy as np

UPDATE, COPY, FLUSH = "UPDATE", "COPY", "FLUSH"


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, embedding, top_detector=False, **_):
    """Weight name -> shape, in the layer's order."""
    weights, lower = {}, input
    for number, (n, upper) in enumerate(zip(units, [*units[1:], None]), 1):
        slab = 4 * n + 1 if upper or top_detector else 4 * n
        weights |= {f"layer{number}/W": (lower, slab), f"layer{number}/U": (n, slab)}
        if upper:
            weights[f"layer{number}/V"] = (upper, slab)
        weights[f"layer{number}/b"] = (slab,)
        lower = n
    weights["readout/gate"] = (sum(units), len(units))
    return weights | {f"readout/emb{number}": (n, embedding) for number, n in enumerate(units, 1)}


def zero_state(units, batch):
    return tuple(np.zeros((batch, width)) for n in units for width in (n, n, 1))


def by_layer(state):
    """A flat state -> (c, h, z) of each layer."""
    return [tuple(state[at : at + 3]) for at in range(0, len(state), 3)]


def weights_of(params, number):
    """W, U, V, b of a layer; V of the last one is None."""
    return [params.get(f"layer{number}/{name}") for name in "WUVb"]


# --- values, by cases -----------------------------------------------------------------------------------------------


def operation(z_prev, z_below):
    """What a layer does: by its own boundary at t-1, and the one below it at t."""
    if z_prev == 1:
        return FLUSH
    return UPDATE if z_below == 1 else COPY


def layer(weights, state, h_below, z_below, h_above, detector, z_on_copy, boundary, slope):
    """One layer, one sample. h_below and z_below are of this step, h_above of the last one -> c, h, z."""
    W, U, V, b = weights
    c_prev, h_prev, z_prev = state
    recurrent = U.T @ h_prev  # (5)
    top_down = 0.0 if h_above is None else z_prev * (V.T @ h_above)  # (6)
    bottom_up = z_below * (W.T @ h_below)  # (7)
    s = recurrent + top_down + bottom_up + b  # (4)
    n = len(c_prev)
    f, i, o, g = sigmoid(s[:n]), sigmoid(s[n : 2 * n]), sigmoid(s[2 * n : 3 * n]), np.tanh(s[3 * n : 4 * n])

    now = operation(z_prev[0], z_below[0])
    if now == UPDATE:  # (2), (3)
        c = f * c_prev + i * g
        h = o * np.tanh(c)
    elif now == COPY:
        c = c_prev
        h = h_prev
    else:
        c = i * g
        h = o * np.tanh(c)

    if not detector:
        return c, h, np.zeros(1)
    if now == COPY and z_on_copy == "hold":
        return c, h, z_prev
    a_s = slope * s[4 * n :]
    z_tilde = np.maximum(0, np.minimum(1, (a_s + 1) / 2)) if boundary == "hard" else sigmoid(a_s)
    return c, h, (z_tilde > 0.5).astype(float)  # (8)


def readout(params, hs):
    """One sample: h of each layer -> the output embedding."""
    joined, total = np.concatenate(hs), 0.0
    for number, h in enumerate(hs, 1):
        gate = sigmoid(params["readout/gate"][:, number - 1] @ joined)  # (11)
        total = total + gate * (params[f"readout/emb{number}"].T @ h)
    return np.maximum(0, total)  # (12)


def step(
    params,
    state,
    x,
    top_detector=False,
    combine="blend",
    z_on_copy="recompute",
    boundary="hard",
    slope=1.0,
):
    """One step of all layers. x (batch, input) -> y (batch, embedding), the state after it.

    combine and the slope change gradients only: the values are those of the case that applies.
    """
    ys, states = [], []
    for k in range(len(x)):
        layers = by_layer([value[k] for value in state])
        below, z_below, new = x[k], np.ones(1), []  # the input is never without a boundary
        for at, own in enumerate(layers):
            last = at + 1 == len(layers)
            above = None if last else layers[at + 1][1]
            weights, detector = weights_of(params, at + 1), top_detector or not last
            new.append(layer(weights, own, below, z_below, above, detector, z_on_copy, boundary, slope))
            _, below, z_below = new[-1]
        ys.append(readout(params, [h for _, h, _ in new]))
        states.append([value for each in new for value in each])
    return np.array(ys), tuple(np.array(values) for values in zip(*states))


def scan(params, x, state, mask=None, **options):
    """x (batch, steps, input), mask (batch, steps) -> y (batch, steps, embedding), the last state, every state.

    A step that does not count leaves the state as it is, and its output is the one before; zeros before any.
    """
    batch, steps, _ = x.shape
    y, state = np.zeros((batch, params["readout/emb1"].shape[1])), tuple(state)
    ys, states = [], []
    for t in range(steps):
        on = np.ones((batch, 1), bool) if mask is None else mask[:, t, None]
        y_new, new = step(params, state, x[:, t], **options)
        y, state = np.where(on, y_new, y), tuple(np.where(on, *pair) for pair in zip(new, state))
        ys.append(y)
        states.append(state)
    return np.stack(ys, 1), state, tuple(np.stack(values, 1) for values in zip(*states))


# --- gradients: the reference program -------------------------------------------------------------------------------


class Base:
    """The base point of a derivative. It keeps what `straight_through` freezes there.

    margin: the least distance of an argument from where its function has no derivative.
    """

    def __init__(self):
        self.frozen, self.margin = [], np.inf

    def straight_through(self, f, g):
        self.frozen.append(f - g)
        return f

    def near(self, distances):
        self.margin = min(self.margin, np.min(np.abs(distances)))


class Beside:
    """A point beside the base: `straight_through(f, g)` is g + (f - g), with f - g as it was there."""

    def __init__(self, base):
        self._frozen = iter(base.frozen)

    def straight_through(self, f, g):
        return g + next(self._frozen)

    def near(self, distances):
        pass


def reference(
    params,
    x,
    state,
    at,
    mask=None,
    top_detector=False,
    combine="blend",
    z_on_copy="recompute",
    boundary="hard",
    slope=1.0,
):
    """What `scan` gives. Arrays may have axes before their own, for many points at once. at: `Base` or `Beside`."""
    units = [c.shape[-1] for c, _, _ in by_layer(state)]
    y, ys, states = 0.0, [], []
    for t in range(x.shape[-2]):
        on = True if mask is None else mask[:, t, None]
        below, z_below, new = x[..., t, :], 1.0, []
        for number, (c_prev, h_prev, z_prev) in enumerate(by_layer(state), 1):
            n, last = units[number - 1], number == len(units)
            W, U, V, b = weights_of(params, number)
            s = h_prev @ U + z_below * (below @ W) + b[..., None, :]
            if not last:
                s = s + z_prev * (by_layer(state)[number][1] @ V)
            f, i, o = (sigmoid(s[..., k * n : (k + 1) * n]) for k in range(3))
            g = np.tanh(s[..., 3 * n : 4 * n])
            copy, update, flush = (1 - z_prev) * (1 - z_below), (1 - z_prev) * z_below, z_prev
            if combine == "blend":
                c = copy * c_prev + update * (f * c_prev + i * g) + flush * (i * g)
                h = copy * h_prev + (1 - copy) * (o * np.tanh(c))
            else:
                c = np.where(copy > 0.5, c_prev, np.where(flush > 0.5, i * g, f * c_prev + i * g))
                h = np.where(copy > 0.5, h_prev, o * np.tanh(c))
            z = np.zeros_like(z_prev)
            if top_detector or not last:
                s_z = s[..., 4 * n :]
                if boundary == "hard":
                    at.near(1 - np.abs(slope * s_z))
                soft = np.clip((slope * s_z + 1) / 2, 0, 1) if boundary == "hard" else sigmoid(slope * s_z)
                z = at.straight_through((s_z > 0).astype(float), soft)
                z = np.where(copy > 0.5, z_prev, z) if z_on_copy == "hold" else z
            new += [c, h, z]
            below, z_below = h, z
        hs = [h for _, h, _ in by_layer(new)]
        gates = sigmoid(np.concatenate(hs, -1) @ params["readout/gate"])
        total = sum(gates[..., [k]] * (h @ params[f"readout/emb{k + 1}"]) for k, h in enumerate(hs))
        at.near(total)
        y = np.where(on, np.maximum(0, total), y)
        state = tuple(np.where(on, *pair) for pair in zip(new, state))
        ys.append(y)
        states.append(state)
    return np.stack(ys, -2), state, tuple(np.stack(values, -2) for values in zip(*states))


def gradients(loss, params, x, state, delta=1e-6, **options):
    """name -> the gradient of a loss by that weight, by `x`, by `state 0` and so on; and the base point.

    loss: of y, the last state and every state, which have an axis of points before their own -> a number for each
    point. Central differences: they hold where the base point's margin is some hundred times `delta`.
    """
    arrays = {**params, "x": x, **{f"state {k}": value for k, value in enumerate(state)}}
    base, found = Base(), {}
    reference(params, x, state, base, **options)
    for name, array in arrays.items():
        moves = delta * np.eye(array.size).reshape(array.size, *array.shape)
        points = {other: np.broadcast_to(each, (2 * array.size, *each.shape)) for other, each in arrays.items()}
        points[name] = np.concatenate([array + moves, array - moves])
        at = points, points["x"], [points[f"state {k}"] for k in range(len(state))]
        up, down = np.split(loss(*reference(*at, Beside(base), **options)), 2)
        found[name] = ((up - down) / (2 * delta)).reshape(array.shape)
    return found, base
