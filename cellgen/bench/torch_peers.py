"""The peers in torch, on the CPU."""

import torch

from cellgen.bench.lineup import Runners
from cellgen.bench.problem import EPSILON, Problem


def _runners(call, weights: dict[str, torch.Tensor]) -> Runners:
    """call: x (batch, steps, input) and the mask -> outputs (batch, steps, units)."""

    def forward(x, mask):
        with torch.no_grad():
            return call(x, mask)

    def training(x, mask):
        of = {"x": x.detach().requires_grad_(), **weights}
        loss = call(of["x"], mask).square().mean()
        return dict(zip(of, torch.autograd.grad(loss, list(of.values())), strict=True))

    return Runners(forward, training, torch.tensor)


def lstm(problem: Problem) -> Runners:
    layer = torch.nn.LSTM(problem.shape.input, problem.shape.units, batch_first=True)
    return _runners(lambda x, mask: layer(x)[0], dict(layer.named_parameters()))


def layer_norm_loop(problem: Problem) -> Runners:
    """A Python loop over the time steps."""
    w = {name: torch.tensor(value.numpy(), requires_grad=True) for name, value in problem.weights.items()}

    def norm(x, name):
        return torch.nn.functional.layer_norm(x, x.shape[-1:], w[f"{name}_scale"], w[f"{name}_shift"], EPSILON)

    def call(x, mask):
        h = c = x.new_zeros(x.shape[0], problem.shape.units)
        outputs = []
        for t, at in enumerate(x.unbind(1)):  # the gradient of x[:, t] would be as large as x
            if mask is not None:
                on = mask[:, t, None]
                h, c = h * on, c * on
            z = norm(at @ w["x_w"], "ln_x") + norm(h @ w["h_w"], "ln_h")
            f, i, o, u = z.chunk(4, -1)
            c = f.sigmoid() * c + i.sigmoid() * u.tanh()
            h = o.sigmoid() * norm(c, "ln_c").tanh()
            outputs.append(h)
        return torch.stack(outputs, 1)

    return _runners(call, w)
