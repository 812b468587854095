"""The codes of what a cell does (laws and remarks), and of what is not generated yet."""

from cellgen.diagnostics.entry import Code

LAWS = {
    "CG401": Code(
        "a law that does not hold",
        "Numbers were found, within the law's conditions, for which the equations say something else. They are "
        "printed. The slip is in the equation as often as in the law.",
        "equations: |\n  c = f * c[t-1] + i * g\nlaws: |\n  c == c[t-1] when f == 1",
        "equations: |\n  c = f * c[t-1] + i * g\nlaws: |\n  c == c[t-1] when f == 1, i == 0",
    ),
    "CG402": Code(
        "a law that stays open",
        "It could neither be proved nor refuted by numbers. That is a warning, and an error under `--strict`. Say it "
        "in simpler parts, or give the ranges that it rests on as laws of their own.",
        "laws: |\n  gelu(a) - gelu(-a) == a",
        "laws: |\n  relu(a) - relu(-a) == a",
    ),
    "CG403": Code(
        "a law that says nothing",
        "Its conditions exclude each other, or no variant of the cell has all that it names. What holds in no case "
        "holds of anything, so the law is no check.",
        "laws: |\n  copy == 1 when z == 1, z == 0",
        "laws: |\n  copy == 1 when z == 0",
    ),
    "CG404": Code(
        "a state that cannot reach the output",
        "Whatever the state is, the output is the same, so carrying it is work for nothing, and its weights get no "
        "gradient. Read it, or remove it.",
        "output: h\nequations: |\n  h = tanh(x @ W + h[t-1])\n  c = c[t-1] + h",
        "output: h\nequations: |\n  c = c[t-1] + tanh(x @ W)\n  h = tanh(c + h[t-1])",
    ),
    "CG405": Code(
        "a gate without a bound",
        "A factor that weighs what is carried can be any number, so the state may grow from step to step without end. "
        "Most gates are squashed into (0, 1).",
        "c = z.f * c[t-1] + i * g",
        "c = sigmoid(z.f) * c[t-1] + i * g",
    ),
    "CG406": Code(
        "an exponential without a stabiliser",
        "The argument has no upper bound, so the exponential can overflow; in float32 that is at 89, in float16 at 11. "
        "Subtract a running maximum, which cancels where the result is normalised.",
        "n = exp(f) * n[t-1] + exp(i)",
        "m = maximum(f + m[t-1], i)\nn = exp(f + m[t-1] - m) * n[t-1] + exp(i - m)",
    ),
    "CG407": Code(
        "the carried value read below the new one",
        "The equation stands below that of the state and still reads its last value. That is right for some cells, so "
        "it is a note; if this step's value is meant, leave `[t-1]` away.",
        "c = f * c[t-1] + i * g\no = sigmoid(z.o + p * c[t-1])",
        "c = f * c[t-1] + i * g\no = sigmoid(z.o + p * c)",
    ),
    "CG408": Code(
        "an arm of `where` that can be infinite",
        "Both arms are computed everywhere. What an equation above computes can be infinite where it is not chosen, "
        "and its gradient there 0 * inf, which is not a number. Write the expression inside the `where`.",
        "r = sqrt(s)\nh = where(s > 0, r, 0)",
        "h = where(s > 0, sqrt(s), 0)",
    ),
    "CG409": Code(
        "a parameter without a gradient",
        "The derivative of the output by this parameter is zero everywhere, so training never changes it. It stands "
        "behind `step`, `stop_gradient` or a factor that is zero.",
        "h = step(x @ W) * h[t-1]",
        "h = straight_through(step(x @ W), sigmoid(x @ W)) * h[t-1]",
    ),
    "CG410": Code(
        "an operation without a value everywhere",
        "A square root is of no less than 0, a logarithm of more than 0, and nothing is divided by 0; it is not shown "
        "that the equations keep to it, in a run from the initial state. Where they do not, the result is no number, "
        "and neither is what comes of it. A law that rests on it says so.",
        "size = sqrt(1 - a ** 2)",
        "size = sqrt(maximum(1 - a ** 2, 0))",
    ),
    "CG411": Code(
        "a square weight on the left",
        "Rows are samples, so `U @ h` is `h` times U transposed: what a paper writes `U h`. Where U is square, `h @ U` "
        "fits too and is something else; weights of Keras and TensorFlow 1 are meant so. It is a note, and told of the "
        "first such weight, where no other one shows that they stand on the left; one that stands on the right too, as "
        "in `h @ U - U @ h`, is meant.",
        "h = tanh(x @ W + U @ h[t-1])",
        "h = tanh(x @ W + h[t-1] @ U)",
    ),
    "CG412": Code(
        "a condition that is decided",
        "What is compared never changes sides, so one of the two things that it chooses between is never taken. Often "
        "a function was applied twice, or a threshold is meant for another range.",
        "soft = sigmoid(sigmoid(s))\nz = step(soft - 0.5)",
        "soft = sigmoid(s)\nz = step(soft - 0.5)",
    ),
}

GENERATED = {
    "CG601": Code(
        "no code is generated for this yet",
        "The language has it, `cellgen check` shows what follows from it and the interpreter runs it, but no code is "
        "generated for it: an input tells the size of each of its axes, not of their factors, for one.",
        "inputs: {x: [2*n]}\nstate: {h: units}\nparams: {W: [2*n, units]}\nequations: |\n  h = 0.5 * h[t-1] + x @ W",
        "inputs: {x: [2*n]}\ndims: {units: required, n: required}\nstate: {h: units}\nparams: {W: [2*n, units]}\n"
        "equations: |\n  h = 0.5 * h[t-1] + x @ W",
    ),
}
