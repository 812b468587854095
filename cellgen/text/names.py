"""Names that a spec may not give: the language's, Python's, and those that Keras or the generated code already uses."""

import keyword
import re
import sys
import unicodedata

from cellgen.diagnostics import Label, Report, Span
from cellgen.ir import LATER, WRITTEN

MAX_NAME = 48

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

LANGUAGE = frozenset(
    "training mask gates layers above below each all when free reduces affine true false none inf".split()
)

# what `dir` shows of keras.layers.Layer and keras.layers.RNN (Keras 3), and what the generated layers add
KERAS = frozenset(
    """activity_regularizer add_loss add_metric add_variable add_weight autocast build build_from_config built call
    call_signature_parameters cell compute_dtype compute_mask compute_output_shape compute_output_spec count_params
    dtype dtype_policy from_config get_build_config get_config get_initial_state get_weights go_backwards inner_loop
    input input_dtype input_spec load_own_variables losses metrics metrics_variables name non_trainable_variables
    non_trainable_weights output path quantization_mode quantize quantized_build quantized_call rematerialized_call
    reset_state reset_states return_sequences return_state save_own_variables set_weights single_state state_size
    stateful stateless_call states supports_jit supports_masking symbolic_call trainable trainable_variables
    trainable_weights unroll use_cudnn variable_dtype variables weights zero_output_for_mask
    output_size zero_state return_all_states debug time_major return_gates named step_arguments weight_arguments
    step_dtype input_shape noise seed seed_generator
    state_is_tuple gates gate_shapes noisy scan scheduled state_sizes noise_sizes""".split()
)

# names of the generated module that a local variable must not hide
GENERATED = frozenset(
    """tf keras self cls state scope cast sequences initial_state lengths kwargs noise NamedTuple float int list tuple
    zip recurrent""".split()
)

BUILT = frozenset(("math", "new"))  # what a formula of a weight's initial value reads beside sizes

# names of the module of a stack that an input, an attribute or a size of a layer must not hide
STACK = frozenset(
    """also after arguments depth found index kept layer layers new old own_input part parts ports read_out readout sent
    shown state values""".split()
)

WEIGHT_ARGUMENTS = ("_initializer", "_regularizer", "_constraint")

# modules that the generated ones or their tests import, and that a file beside them would hide
IMPORTED = frozenset("tensorflow keras tf_keras numpy pytest conftest cellgen".split()) | sys.stdlib_module_names


def no_module(stem: str) -> str:
    """Why a spec of this stem cannot be built into a module, and what to do; an empty string if it can."""
    if not NAME.fullmatch(stem):
        other = re.sub("[^A-Za-z0-9]+", "_", stem).strip("_")
        return (
            f"rename the file to `{other}.yaml`"
            if NAME.fullmatch(other)
            else "rename the file: a letter, then letters, digits and `_`"
        )
    if keyword.iskeyword(stem):
        return f"it is a word of Python: rename the file to `{stem}_cell.yaml`"
    if stem in IMPORTED:
        return f"it would hide Python's module of this name: rename the file to `{stem}_cell.yaml`"
    if re.fullmatch(r"recurrent_[0-9]+", stem):
        return f"it would hide what all cells share: rename the file to `{stem}_cell.yaml`"
    return ""


def check(
    name: str, span: Span, report: Report, attribute: bool = False, stack: bool = False, label: bool = False
) -> bool:
    """Whether a spec may give this name; if not, it is reported (CG109). `attribute`: it becomes one of the layer's.
    `stack`: it is known outside the layers of a stack. `label`: it is only a part of other names."""

    def refuse(message: str, help: str) -> bool:
        report.add("CG109", f"`{name}` {message}", span, help=help)
        return False

    if not NAME.fullmatch(name):
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        other = re.sub("[^A-Za-z0-9]+", "_", plain).strip("_")
        rule = "a name starts with a letter and has letters, digits and `_`, all ASCII"
        return refuse("is not a name", f"{rule}: write `{other}`" if NAME.fullmatch(other) else rule)
    if len(name) > MAX_NAME:
        report.add("CG108", f"a name of {len(name)} characters; at most {MAX_NAME}", span)
        return False
    other = (
        f"choose another name, such as `{name}_dim`"
        if name in ("input", "output")
        else f"choose another name, such as `{name}_`"
    )
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        return refuse("is a word of Python", other)
    if name in LANGUAGE:
        return refuse("is a word of the language", other)
    if name in WRITTEN and name not in LATER:
        return refuse("is a function of the language", other)
    taken = name in GENERATED and not label or attribute and name in BUILT
    if taken or stack and (name in STACK or re.match(r"layer\d", name)):
        return refuse("has a meaning in the generated code", other)
    if attribute and name.endswith(WEIGHT_ARGUMENTS):
        return refuse("is what an argument of a weight is called", other)
    if attribute and name in KERAS:
        return refuse("would hide an attribute of Keras's layers", other)
    return True


class Taken:
    """The names that one spec declares, each once, and where."""

    def __init__(self, report: Report):
        self.report = report
        self.where: dict[str, Span] = {}

    def take(self, name: str, span: Span, attribute: bool = False) -> bool:
        """Whether the name may be given and was free; if not, it is reported (CG109, CG112)."""
        if not check(name, span, self.report, attribute):
            return False
        if name in self.where:
            self.report.add(
                "CG112",
                f"`{name}` is declared twice",
                span,
                "again here",
                context=[Label(self.where[name], "first here")],
                help="give one of the two another name",
            )
            return False
        self.where[name] = span
        return True
