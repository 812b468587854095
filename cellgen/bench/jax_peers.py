"""The peers in JAX."""

import jax
import jax.numpy as jnp

from cellgen.bench.lineup import Runners
from cellgen.bench.problem import EPSILON, Problem


def _runners(call, problem: Problem) -> Runners:
    """call: weights, x (batch, steps, input) and the mask -> outputs (batch, steps, units)."""
    weights = {name: jnp.asarray(value.numpy()) for name, value in problem.weights.items()}
    outputs = jax.jit(call)
    gradients = jax.jit(jax.value_and_grad(lambda w, x, mask: jnp.mean(jnp.square(call(w, x, mask))), argnums=(0, 1)))

    def forward(x, mask):
        return jax.block_until_ready(outputs(weights, x, mask))

    def training(x, mask):
        _, (of_weights, of_x) = jax.block_until_ready(gradients(weights, x, mask))
        return {"x": of_x, **of_weights}

    return Runners(forward, training, jnp.asarray)


def layer_norm_scan(problem: Problem) -> Runners:
    def norm(w, name, x):
        centred = x - x.mean(-1, keepdims=True)
        rstd = jax.lax.rsqrt(jnp.square(centred).mean(-1, keepdims=True) + EPSILON)
        return centred * rstd * w[f"{name}_scale"] + w[f"{name}_shift"]

    def call(w, x, mask):
        def step(state, at):
            x, on = at
            h, c = state if on is None else (value * on[:, None] for value in state)
            z = norm(w, "ln_x", x @ w["x_w"]) + norm(w, "ln_h", h @ w["h_w"])
            f, i, o, u = jnp.split(z, 4, -1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(u)
            h = jax.nn.sigmoid(o) * jnp.tanh(norm(w, "ln_c", c))
            return (h, c), h

        start = jnp.zeros([x.shape[0], problem.shape.units])
        over = jnp.swapaxes(x, 0, 1), None if mask is None else mask.T
        return jnp.swapaxes(jax.lax.scan(step, (start, start), over)[1], 0, 1)

    return _runners(call, problem)


def _affine(w, x):
    """The minGRU as h = keep * h[t-1] + new, over all steps."""
    z, candidates = jnp.split(x @ w["kernel"] + w["bias"], 2, -1)
    z = jax.nn.sigmoid(z)
    return 1 - z, z * candidates


def mingru_scan(problem: Problem) -> Runners:
    def call(w, x, mask):
        def step(h, at):
            h = at[0] * h + at[1]
            return h, h

        over = _affine(w, jnp.swapaxes(x, 0, 1))
        return jnp.swapaxes(jax.lax.scan(step, jnp.zeros_like(over[0][0]), over)[1], 0, 1)

    return _runners(call, problem)


def stack_scan(problem: Problem) -> Runners:
    """The stack of HM-LSTM; a layer has one matmul, whose weights are put together before the loop."""
    layers, units = problem.workload.layers, problem.shape.units

    def call(w, x, mask):
        kernels = {
            number: jnp.concatenate([w[name] for each in "UWV" if (name := f"layer{number}_{each}") in w])
            for number in range(1, layers + 1)
        }

        def step(state, at):
            below, z_below, new = at, None, []
            for number, (c, h, z) in enumerate(state, 1):
                reads = [h, below if z_below is None else z_below * below]
                if number < layers:
                    reads.append(z * state[number][1])
                s = jnp.concatenate(reads, -1) @ kernels[number] + w[f"layer{number}_b"]
                f, i, o = jnp.split(jax.nn.sigmoid(s[:, : 3 * units]), 3, -1)
                ig = i * jnp.tanh(s[:, 3 * units : 4 * units])
                below_fires = 1 if z_below is None else z_below
                copy, update = (1 - z) * (1 - below_fires), (1 - z) * below_fires
                c = (copy + update * f) * c + (1 - copy) * ig
                h = copy * h + (1 - copy) * (o * jnp.tanh(c))
                if number < layers:
                    z_new = s[:, 4 * units :]
                    soft = jnp.clip((z_new + 1) / 2, 0, 1)
                    z = soft + jax.lax.stop_gradient((z_new > 0) - soft)
                new.append((c, h, z))
                below, z_below = h, z
            return tuple(new), tuple(h for _, h, _ in new)

        start = tuple(tuple(jnp.zeros([x.shape[0], size]) for size in (units, units, 1)) for _ in range(layers))
        hs = jax.lax.scan(step, start, jnp.swapaxes(x, 0, 1))[1]
        gates = jnp.split(jax.nn.sigmoid(jnp.concatenate(hs, -1) @ w["readout_gate"]), layers, -1)
        embed = jnp.concatenate([w[f"readout_emb{number}"] for number in range(1, layers + 1)])
        gated = jnp.concatenate([g * h for g, h in zip(gates, hs)], -1)
        return jnp.swapaxes(jax.nn.relu(gated @ embed), 0, 1)

    return _runners(call, problem)


def mingru_associative(problem: Problem) -> Runners:
    def call(w, x, mask):
        def both(first, second):
            return first[0] * second[0], first[1] * second[0] + second[1]

        return jax.lax.associative_scan(both, _affine(w, x), axis=1)[1]

    return _runners(call, problem)
