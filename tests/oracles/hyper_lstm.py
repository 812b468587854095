"""HyperLSTM of Ha, Dai & Le 2017 (arXiv:1609.09106), appendix A, gate by gate. A sample is a column.

y = LN(d_h(z_h) * (W_h h) + d_x(z_x) * (W_x x) + d_b(z_b)), d(z) = W_z z, z = W h_hat + b. Gates: i, g, f, o.
"""

import numpy as np

TRIED = {"hyper": (None, 4), "embedding": (None, 2)}


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, layer_norm=True, hyper=None, embedding=None, **_):
    """Weight name -> shape, in the order of the spec."""
    hyper, embedding = hyper or 128, embedding or 16
    z, d = (hyper, 4 * embedding), (4, embedding, units)
    weights = {
        "hyper_kernel": (input, 4 * hyper),
        "hyper_main_kernel": (units, 4 * hyper),
        "hyper_recurrent": (hyper, 4 * hyper),
        "hyper_bias": (4 * hyper,),
    }
    weights |= {"W_zx": z, "b_zx": z[1:], "W_zh": z, "b_zh": z[1:], "W_zb": z, "D_x": d, "D_h": d, "D_b": d}
    weights |= {"kernel": (input, 4 * units), "recurrent_kernel": (units, 4 * units), "bias": (4, units)}
    norms = {"ln_hyper": (4, hyper), "ln_hyper_c": (hyper,), "ln_z": (4, units), "ln_c": (units,)}
    norms = {f"{norm}/{part}": shape for norm, shape in norms.items() for part in ("scale", "shift")}
    return weights | (norms if layer_norm else {})


def step(params, state, x, hyper_state="previous", layer_norm=True, forget_bias=1.0, epsilon=1e-3):
    """One step. x (batch, input), state (h, c, h_hat, c_hat) -> h (batch, units), (h, c, h_hat, c_hat)."""
    h, c, h_hat, c_hat = (each.T for each in state)
    x = x.T

    def LN(v, norm, *gate):
        if not layer_norm:
            return v
        scale, shift = (params[f"{norm}/{part}"][gate][..., None] for part in ("scale", "shift"))
        return scale * (v - v.mean(axis=0)) / np.sqrt(v.var(axis=0) + epsilon) + shift

    def rows(weight, gate):
        return np.split(params[weight].T, 4)[gate]

    def lstm(net, cell, norm):
        i, g, f, o = net
        cell = sigma(f + forget_bias) * cell + sigma(i) * np.tanh(g)
        return sigma(o) * np.tanh(LN(cell, norm)), cell

    hyper = []
    for gate in range(4):
        from_input = rows("hyper_main_kernel", gate) @ h + rows("hyper_kernel", gate) @ x
        net = rows("hyper_recurrent", gate) @ h_hat + from_input + rows("hyper_bias", gate)[:, None]
        hyper.append(LN(net, "ln_hyper", gate))
    h_new, c_hat = lstm(hyper, c_hat, "ln_hyper_c")
    read = {"previous": h_hat, "current": h_new}[hyper_state]

    main = []
    for gate in range(4):
        z_h = rows("W_zh", gate) @ read + rows("b_zh", gate)[:, None]
        z_x = rows("W_zx", gate) @ read + rows("b_zx", gate)[:, None]
        z_b = rows("W_zb", gate) @ read
        d_h, d_x, d_b = (params[f"D_{of}"][gate].T @ z for of, z in (("h", z_h), ("x", z_x), ("b", z_b)))
        y = d_h * (rows("recurrent_kernel", gate) @ h) + d_x * (rows("kernel", gate) @ x)
        main.append(LN(y + d_b + params["bias"][gate][:, None], "ln_z", gate))
    h, c = lstm(main, c, "ln_c")
    return h.T, (h.T, c.T, h_new.T, c_hat.T)
