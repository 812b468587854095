"""Cells that are an LSTM or a GRU of Keras's, under other names and in other layouts."""

LSTM = """
cell: Cell
gates: [i, f, g, o]
state: {h: units, c: units}
params:
  K: [input, gates*units]
  R: [units, gates*units]
  p: [units]
  W: [input, units]
  V: [units, units]
equations: |
  z = x @ K + h[t-1] @ R
  i = sigmoid(z.i)
  f = sigmoid(z.f)
  c = f * c[t-1] + i * tanh(z.g) + 0 * (p + x @ W + h[t-1] @ V)
  o = sigmoid(z.o)
  h = o * tanh(c)
"""

GRU = """
cell: Cell
gates: [r, z, n]
state: {h: units}
params:
  w_ih: [input, gates*units]
  w_hh: [units, gates*units]
  b_ih: [gates*units]
  b_hh: [gates*units]
  p: [units]
  W: [input, units]
  V: [units, units]
equations: |
  a = x @ w_ih + b_ih
  b = h[t-1] @ w_hh + b_hh
  r = sigmoid(a.r + b.r)
  z = sigmoid(a.z + b.z)
  n = tanh(a.n + r * b.n)
  h = (1 - z) * n + z * h[t-1] + 0 * (p + x @ W + h[t-1] @ V)
"""

TORCH = """
cell: TorchGRU
gates: [r, z, n]
state: {h: units}
params: {w_ih: [input, gates*units], w_hh: [units, gates*units], b_ih: [gates*units], b_hh: [gates*units]}
equations: |
  a = x @ w_ih + b_ih
  b = h[t-1] @ w_hh + b_hh
  r = sigmoid(a.r + b.r)
  z = sigmoid(a.z + b.z)
  n = tanh(a.n + r * b.n)
  h = (1 - z) * n + z * h[t-1]
"""

MANY = """
cell: Many
gates: [o, g, i, f]
state: {c: units, h: units}
output: h
params:
  Wi: [input, units]
  Wf: [units, input]
  Wg: [input, units]
  Wo: [input, units]
  U: [gates, units, units]
  b: [units*gates]
  d_i: [units]
  d_o: [units]
equations: |
  i = sigmoid(x @ Wi + h[t-1] @ U.i + b.i + d_i)
  f = 1 - sigmoid(Wf @ x - h[t-1] @ U.f - b.f - 1)
  g = tanh(x @ Wg + h[t-1] @ U.g + b.g)
  o = sigmoid(x @ Wo + h[t-1] @ U.o + b.o - d_o)
  c = f * c[t-1] + i * g
  h = o * tanh(c)
"""

OPTIONS = """
cell: Optional
gates: [c, o, f, i]
state: {m: units, y: units}
output: y
options: {use_bias: true, two: false, inner: {one_of: activations, default: tanh}, forget: 0.5}
inputs: {v: [features]}
dims: {features: inferred, units: required}
params:
  kernel: [features, gates*units]
  recurrent_kernel: [units, gates*units]
  bias: [gates*units]
  more: [gates, units]
equations: |
  a: [gates, units] = v @ kernel + y[t-1] @ recurrent_kernel + (bias if use_bias else 0)
  b: [gates, units] = a + (more if two else 0)
  m = sigmoid(b.f - forget) * m[t-1] + sigmoid(b.i) * inner(b.c)
  y = sigmoid(b.o) * inner(m)
"""

CELLS = {
    "lstm of many weights": MANY,
    "lstm with options": OPTIONS,
    "gru as torch has it": TORCH,
    "gru with the other z": TORCH.replace("(1 - z) * n + z * h[t-1]", "(1 - z) * h[t-1] + z * n")
    .replace("b_hh: [gates*units]", "b_hh: [units]")
    .replace("@ w_hh + b_hh", "@ w_hh")
    .replace("r * b.n", "r * (b.n + b_hh)"),
    "gru without biases": TORCH.replace(", b_ih: [gates*units], b_hh: [gates*units]", "")
    .replace(" + b_ih", "")
    .replace(" + b_hh", ""),
    "gru with the reset turned": TORCH.replace("sigmoid(a.r + b.r)", "1 - sigmoid(a.r + b.r)"),
    "gru with its output turned": TORCH.replace("tanh(a.n + r * b.n)", "-tanh(a.n + r * b.n)"),
}
