"""The registry of codes: what each diagnostic is about. `cellgen explain CODE` prints an entry.

CG1xx is about the file and its declarations, CG2xx about equations, names and wiring, CG3xx about shapes, CG4xx about
what a cell does (laws and remarks), CG6xx about what is not generated yet.
"""

from cellgen.diagnostics.entry import Code
from cellgen.diagnostics.law_codes import GENERATED, LAWS

FILE = {
    "CG101": Code(
        "the spec cannot be read",
        "The file is not there, cannot be opened, is larger than 128 KiB, or is not UTF-8. A name without `.yaml` "
        "means a file of that name, or else one of the shipped specs, which `cellgen list` shows.",
        "cellgen check lstmm",
        "cellgen check lstm\ncellgen check my_cells/lstm.yaml",
    ),
    "CG102": Code(
        "this is no YAML",
        "The file does not follow YAML's own rules, so nothing in it can be read. Most often a bracket, a brace or a "
        "quote is not closed, a line of the equations is not indented, or a text holds a colon and needs quotes.",
        "state: {h: units, c: units\nabout: LSTM: the classic",
        'state: {h: units, c: units}\nabout: "LSTM: the classic"',
    ),
    "CG103": Code(
        "a key stands twice",
        "A key has one value. YAML parsers differ in which of two they keep, so neither is taken: keep one.",
        "params:\n  W: {shape: [input, units], init: zeros}\n  W: {shape: [units, units], init: orthogonal}",
        "params:\n  W: {shape: [input, units], init: zeros}\n  U: {shape: [units, units], init: orthogonal}",
    ),
    "CG104": Code(
        "YAML that a spec does not use",
        "A spec is plain data. Anchors, aliases, tags, merges and several documents in one file are refused, and so "
        "are equations whose lines would run together. Write values out, share between specs by `extends:`, and put "
        "the equations under `equations: |`.",
        "equations: >\n  z = x @ W\n  h = tanh(z)",
        "equations: |\n  z = x @ W\n  h = tanh(z)",
    ),
    "CG105": Code(
        "an unknown key",
        "Every key of a spec has a meaning, so one that is not known is a slip and not a comment. The help names the "
        "nearest one, or all that may stand there. In braces a value with a comma in it needs quotes.",
        "states: {h: units}\nparams:\n  W: {shape: [input, units], initializer: zeros}",
        "state: {h: units}\nparams:\n  W: {shape: [input, units], init: zeros}",
    ),
    "CG106": Code(
        "a value of the wrong kind",
        "A key takes a certain kind of value: a name, a number in some range, a list of dims, a mapping. The message "
        "says what the key takes and what stands there instead.",
        "params:\n  W: [input, units]",
        "params:\n  W: {shape: [input, units], init: glorot_uniform}",
    ),
    "CG107": Code(
        "something is missing",
        "A cell has a name, at least one state, at least one input and at least one equation; a parameter has a "
        "shape and an initialiser, a norm a span, an option a default.",
        "params:\n  W: {shape: [input, units]}",
        "params:\n  W: {shape: [input, units], init: glorot_uniform}",
    ),
    "CG108": Code(
        "beyond a bound",
        "Specs come from anywhere, so their size is bounded: 128 KiB and 5,000 values a file, 2,000 characters a line, "
        "256 equations of 4,000 names and operations, 64 laws, names of 48 characters, 64 labels, 6 axes, 64 nested "
        "operations, 64 micro-steps, 16 specs that extend each other, exponents up to 64. A paper's cell has less.",
        "h = tanh(tanh(tanh( ... 70 of them ... )))",
        "a = tanh(tanh(x))\nh = tanh(tanh(a))",
    ),
    "CG109": Code(
        "a name that is taken",
        "Names become variables and attributes of the generated layer. So a name is ASCII, starts with a letter, and "
        "is no word of Python or of this language and no function; options, parameters and dims must not hide an "
        "attribute that Keras's layers have, such as `weights` or `name`.",
        "params:\n  weights: {shape: [input, units], init: zeros}\nstate: {lambda: units}",
        "params:\n  kernel: {shape: [input, units], init: zeros}\nstate: {decay: units}",
    ),
    "CG110": Code(
        "no such spec",
        "`extends:` and `reduces to` name another spec by its stem, without path or ending. It is looked for beside "
        "this one and then among the shipped ones. Also told when `name = none` deletes an equation that is not there.",
        "extends: ../specs/lstm.yaml",
        "extends: lstm",
    ),
    "CG111": Code(
        "specs that extend each other in a circle",
        "Each spec states its difference to another one, so at the end of the chain one must stand on its own.",
        "# a.yaml\nextends: b\n# b.yaml\nextends: a",
        "# a.yaml\nextends: b\n# b.yaml\nextends: lstm",
    ),
    "CG112": Code(
        "one name for two things",
        "Dims, labelled axes, options, inputs, states, parameters and norms share one namespace, so that a name in an "
        "equation means one thing. Labels are apart from it, but stand once in their axis.",
        "state: {h: units}\nparams:\n  h: {shape: [input, units], init: zeros}",
        "state: {h: units}\nparams:\n  W: {shape: [input, units], init: zeros}",
    ),
    "CG113": Code(
        "an initialiser that is not known",
        "An initialiser is one of Keras's by its name in lower case, a number, `uniform(low, high)`, `normal(stddev)`, "
        "`orthogonal(gain)` or `identity(gain)`, a formula of such, as in `log(range(units) + 1)`, or one of two by an "
        "option. One for each label needs a shape in which the labelled axis comes first in its product and its parts "
        "are equal.",
        "W: {shape: [input, units], init: xavier}",
        "W: {shape: [input, units], init: glorot_uniform}",
    ),
    "CG114": Code(
        "a file name that cannot name a module",
        "The generated module is called after the spec's file. So its stem has letters, digits and `_` only, is no "
        "word of Python, and is not the name of a module that generated code imports.",
        "cellgen build layer-norm.yaml",
        "cellgen build layer_norm.yaml",
    ),
    "CG115": Code(
        "a file that hides a shipped spec",
        "A stem is looked for beside the spec that names it, and then among the shipped specs. So a file of your own "
        "called `lstm.yaml` is what `extends: lstm` and `reduces to lstm` mean beside it. That may be what you want.",
        "# gru.yaml, a cell of your own, is there too\nextends: gru",
        "# it is called my_gru.yaml\nextends: gru",
    ),
}

EQUATIONS = {
    "CG201": Code(
        "this is no equation",
        "A line has the form `name = value`, or `name: [dims] = value`. A bracket is open, a sign or a value is "
        "missing, or an arm of a choice. A law is `a == b`, `a in [low, high]`, `a free of s[t-1]` or "
        "`reduces to SPEC`, and may end in `when name == value` or `when flag`.",
        "z = x W + b\nh = tanh(z",
        "z = x @ W + b\nh = tanh(z)",
    ),
    "CG202": Code(
        "not part of the language",
        "Equations have names, numbers, `+ - * / @ **`, calls of known functions, `.label`, `[t-1]` and "
        "`a if option else b`, and nothing else of Python: a spec is never executed. The help says how the same thing "
        "is written, if it can be.",
        "a = x ^ 2\nb = tf.tanh(x)\nc = h[t-2]",
        "a = x ** 2\nb = tanh(x)\nc = h_last[t-1]",
    ),
    "CG203": Code(
        "a character outside ASCII",
        "Letters that look alike are different characters, and some cannot be seen at all, so equations are ASCII. "
        "The help says what to write: `sigmoid` for the Greek letter, `-` for a long dash.",
        "h = \N{GREEK SMALL LETTER SIGMA}(z) \N{MULTIPLICATION SIGN} c",
        "h = sigmoid(z) * c",
    ),
    "CG204": Code(
        "`*` beside `@` without parentheses",
        "Python gives both signs the same rank and goes from left to right, so `r * h @ U` would be `(r * h) @ U`. "
        "In a paper it often is the other one, and both have fitting shapes. Say which is meant.",
        "n = tanh(x @ W + r * h[t-1] @ U)",
        "n = tanh(x @ W + r * (h[t-1] @ U))",
    ),
    "CG205": Code(
        "an unknown name",
        "A name is an input, a state, a parameter, an option, a dim, or defined by an equation above. The help names "
        "the nearest one. A weight is declared under `params:`, a number under `options:`, a new dim under `dims:`.",
        "z = x @ kernal",
        "z = x @ kernel",
    ),
    "CG206": Code(
        "used before it is defined",
        "A bare name is this step's value, so its equation stands above; the value carried from the last step is "
        "`c[t-1]`. Equations are never reordered. Also told where a dim, a norm, a function or an option that is no "
        "number stands as a value, and of weights, which start in their order.",
        "h = o * tanh(c)\nc = f * c + i * g",
        "c = f * c[t-1] + i * g\nh = o * tanh(c)",
    ),
    "CG207": Code(
        "a name defined twice",
        "A name has one meaning in a step: no equation changes a value, and none redefines what is declared. Give the "
        "second value a name of its own.",
        "c = f * c[t-1] + i * g\nc = clip(c, -3, 3)",
        "c_new = f * c[t-1] + i * g\nc = clip(c_new, -3, 3)",
    ),
    "CG208": Code(
        "a call that does not fit",
        "The function is not known, takes another number of values, or has no such keyword. Functions carry Keras's "
        "names; `sum`, `mean`, `softmax` and `cumsum` take `over=` with a dim. `dropout(value, rate, "
        "per=step)` and `zoneout(new, h[t-1], rate, per=step)` say how long a draw holds, with a rate from 0 to 1.",
        "g = max(a, b)\ns = softmax(a, axis=units)",
        "g = maximum(a, b)\ns = softmax(a, over=units)",
    ),
    "CG209": Code(
        "an unknown label",
        "`.f` cuts the part `f` out of a labelled axis. The labels are those of `gates:` and `axes:`; an initialiser "
        "for one label needs a parameter that has it.",
        "gates: [i, f, g, o]\nequations: |\n  f = sigmoid(z.forget)",
        "gates: [i, f, g, o]\nequations: |\n  f = sigmoid(z.f)",
    ),
    "CG210": Code(
        "`[t-1]` of what is no state",
        "Only states are carried from step to step. To carry another value make it a state; to read the last input "
        "keep it in a state of its own.",
        "state: {h: units}\nequations: |\n  g = tanh(x @ W)\n  h = g + g[t-1]",
        "state: {h: units, g: units}\nequations: |\n  g = tanh(x @ W)\n  h = g + g[t-1]",
    ),
    "CG211": Code(
        "a state that is never updated",
        "Each state needs an equation for its next value. A state that shall keep its value says so: `c = c[t-1]`.",
        "state: {h: units, c: units}\nequations: |\n  h = tanh(x @ W + c[t-1])",
        "state: {h: units, c: units}\nequations: |\n  h = tanh(x @ W + c[t-1])\n  c = 0.9 * c[t-1] + h",
    ),
    "CG212": Code(
        "something that is never used",
        "A parameter, input, option, gate, dim, norm or value that no variant of the cell reads is most "
        "often a slip in another line. A state that nothing reads at `[t-1]` need not be carried: read it, or cut it.",
        "options: {forget_bias: 1.0}\nequations: |\n  f = sigmoid(z.f)",
        "options: {forget_bias: 1.0}\nequations: |\n  f = sigmoid(z.f + forget_bias)",
    ),
    "CG213": Code(
        "too many variants",
        "Every combination of what the tests ask for is a variant of the cell, and each is checked: at most 64. Six "
        "yes-or-no options make 64. Split the spec in two, one of which `extends:` the other.",
        "options: {a: true, b: true, c: true, d: true, e: true, f: true, g: true}",
        "options: {a: true, b: true, c: true, d: true, e: true, f: true}",
    ),
    "CG214": Code(
        "a test that cannot be decided",
        "`a if TEST else b` is decided when the cell is built: TEST asks whether an option, a dim or an input was "
        "given, or which word an option is, joined by `and`, `or` and `not`. A choice on data is `where(cond, a, b)`.",
        "h = a if x > 0 else b",
        "h = where(x > 0, a, b)",
    ),
    "CG215": Code(
        "`affine` where it cannot stand",
        "`affine(x, h[t-1])` declares a kernel, a recurrent kernel and a bias in Keras's layout. It stands once, alone "
        "on the right, with its width on the left, and takes an input and a state of one axis each. Whatever else is "
        "wanted is written out, with weights under `params:`.",
        "f = sigmoid(affine(x, h[t-1]))",
        "z: [units] = affine(x, h[t-1])\nf = sigmoid(z)",
    ),
    "CG216": Code(
        "a number that no float can hold",
        "Constants must be finite and not vanish in 64 bits: between about 1e-308 and 1e308, or 0. Nothing is divided "
        "by the constant 0.",
        "a = 1e400 * x",
        "a = 1e30 * x",
    ),
    "CG220": Code(
        "micro-steps that cannot be counted",
        "`for k in depth:` runs the equations that stand further right below it once for each place of an axis, "
        "`axes: {depth: 5}`, or for each number of `for k in 3:`; there are no loops in loops. `s[k-1]` is what the "
        "micro-step before left of a name of the loop, which starts from an equation `s[0] = ...` above it. `R[k]` is "
        "a slice of a weight or value with that axis, and after the loop `s` is the last, `s[2]` the second.",
        "for k in range(depth):\n  s = tanh(s[k-1] @ R[k])",
        "s[0] = h[t-1]\nfor k in depth:\n  s = tanh(s[k-1] @ R[k])",
    ),
}

WIRING = {
    "CG217": Code(
        "a wiring with a cycle inside one step",
        "The layers of a stack run from the first to the last in each step, so a layer reads this step's values of the "
        "layer below it, and of the one above it those of the last step.",
        "wiring: |\n  h_below = below.h if below else x\n  h_above = above.h if above else none",
        "wiring: |\n  h_below = below.h if below else x\n  h_above = above.h[t-1] if above else none",
    ),
    "CG218": Code(
        "a wiring that leaves something open",
        "Each port of the cell reads something in each layer: one that is optional may read `none`, one with a default "
        "need not be named. `below` and `above` are layers and `each` is every layer: their values are `below.h`, "
        "`above.h[t-1]`, `each.h`.",
        "wiring: |\n  x = below if below else x",
        "wiring: |\n  x = below.h if below else x",
    ),
    "CG219": Code(
        "an option that is wired to no value of its kind",
        "A wiring may choose the options of the cell by a layer's place: a flag is `true`, `false` or a flag of the "
        "stack, an option with words one of them or an option of the stack with the same words, a number a number.",
        "wiring: |\n  detector = 1 if above else 0",
        "wiring: |\n  detector = true if above else false",
    ),
}

SHAPES = {
    "CG301": Code(
        "a matmul of axes that differ",
        "`a @ b` contracts the last axis of `a` with the first of `b`, after the leading axes that they share. Dims "
        "are equal if their names are: `proj` and `units` never fit, even where both are 128. Weights stand on the "
        "right, input first.",
        "params:\n  W: {shape: [units, input], init: zeros}\nequations: |\n  z = x @ W",
        "params:\n  W: {shape: [input, units], init: zeros}\nequations: |\n  z = x @ W",
    ),
    "CG302": Code(
        "an elementwise operation on shapes that differ",
        "The dims of both sides are equal, or one side's are some of the other's in their order, or one side is a "
        "scalar. A flat product such as `gates*units` fits `[gates, units]` only after a view. All pairs of two "
        "vectors are `outer(a, b)`.",
        "z = x @ W           # [gates*units]\na = z + b           # b: [gates, units]",
        "z: [gates, units] = x @ W\na = z + b",
    ),
    "CG303": Code(
        "a norm over axes that the value does not have",
        "`over` names the trailing axes whose statistics are shared, and its weights have the shape of the value. "
        "`[gates*units]` is one mean for all gates; for one mean a gate give the value a view first.",
        "norms: {ln: {kind: rms, over: [units], epsilon: 0.1}}\nequations: |\n  z = ln(x @ W)    # [gates*units]",
        "norms: {ln: {kind: rms, over: [units], epsilon: 0.1}}\nequations: |\n  a: [gates, units] = x @ W\n  z = ln(a)",
    ),
    "CG304": Code(
        "a label that the value does not have",
        "`.f` removes a labelled axis from the shape, so the value must have that axis, and just one with this label.",
        "z = x @ W            # [units]\nf = z.f",
        "z = x @ W            # [gates*units]\nf = z.f",
    ),
    "CG305": Code(
        "a declared shape that the value does not have",
        "`z: [gates, units] = ...` views the value's numbers in their order under other axes. So the factors of both "
        "shapes are the same, in the same order.",
        "z: [units, gates] = x @ W        # [gates*units]",
        "z: [gates, units] = x @ W",
    ),
    "CG306": Code(
        "a state whose equation has another shape",
        "The next value of a state has the shape that the state declares; so has the parameter that it starts from. A "
        "weight leads from one axis to another.",
        "state: {h: units}\nequations: |\n  h = tanh(x)          # [input]",
        "state: {h: units}\nequations: |\n  h = tanh(x @ W)      # W: [input, units]",
    ),
    "CG307": Code(
        "`over` an axis that the value does not have",
        "`sum`, `mean`, `softmax` and `cumsum` work along one axis, the last one if `over=` is not written. The value "
        "must have it once. A factor of a flat axis is an axis only after a view.",
        "z = x @ W            # [gates*units]\na = softmax(z, over=units)",
        "z: [gates, units] = x @ W\na = softmax(z, over=units)",
    ),
    "CG308": Code(
        "a name with two shapes",
        "Over all variants a name has one shape, except that an arm of a choice may be a number. Give the other shape "
        "a name of its own.",
        "y = a @ P if project else a",
        "p = a @ P\ny = p @ R if project else a",
    ),
    "CG309": Code(
        "read where it may not be there",
        "An option whose default is `none` and an optional input exist only if they were given. Read them in the arm "
        "of a choice that asks for them.",
        "options: {cell_clip: none}\nequations: |\n  c = clip(m, -cell_clip, cell_clip)",
        "options: {cell_clip: none}\nequations: |\n  c = clip(m, -cell_clip, cell_clip) if cell_clip else m",
    ),
    "CG310": Code(
        "a number where 0 or 1 is wanted",
        "A state with `values: [0, 1]` gets its next value from `step`, from comparisons and from products of such; so "
        "does the condition of `where`. `straight_through(step(s), soft)` gives it a gradient.",
        "state:\n  z: {shape: [1], values: [0, 1]}\nequations: |\n  z = sigmoid(s)",
        "state:\n  z: {shape: [1], values: [0, 1]}\nequations: |\n  z = straight_through(step(s), sigmoid(s))",
    ),
    "CG311": Code(
        "an output that reads nothing",
        "The output depends on the parameters alone, so it is the same at every step and for every sample.",
        "output: y\nequations: |\n  h = tanh(x @ W + h[t-1])\n  y = tanh(b)",
        "output: y\nequations: |\n  h = tanh(x @ W + h[t-1])\n  y = tanh(h + b)",
    ),
    "CG313": Code(
        "a convolution of shapes that do not fit",
        "`conv(x, kernel)` goes along one to three axes, with the channels behind them. The kernel is made of weights "
        "alone and has a size along each of these axes, then the channels, then the filters. In steps of a stride an "
        "axis is a quotient, which has a name: `half: rows/2`.",
        "inputs: {x: [rows, columns, channels]}\nparams: {K: [3, 3, filters, channels]}\n"
        "equations: |\n  z = conv(x, K)",
        "inputs: {x: [rows, columns, channels]}\nparams: {K: [3, 3, channels, filters]}\n"
        "equations: |\n  z = conv(x, K)",
    ),
}

CODES: dict[str, Code] = {**FILE, **EQUATIONS, **WIRING, **SHAPES, **LAWS, **GENERATED}
