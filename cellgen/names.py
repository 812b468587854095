"""Names that a spec may not give: the language's, Python's, and those that Keras or the generated code already uses."""

import keyword

from cellgen import parse
from cellgen.diagnostics import Report
from cellgen.ops import OPS
from cellgen.span import Span

LANGUAGE = frozenset(
    "t training mask gates layers above below each all when free reduces affine true false none inf".split()
)

# what `dir` shows of keras.layers.Layer and keras.layers.RNN (Keras 3), and what the generated layers add
KERAS = frozenset(
    """activity_regularizer add_loss add_metric add_variable add_weight autocast build build_from_config built call
    call_signature_parameters cell compute_dtype compute_mask compute_output_shape compute_output_spec count_params dtype
    dtype_policy from_config get_build_config get_config get_initial_state get_weights go_backwards inner_loop input
    input_dtype input_spec load_own_variables losses metrics metrics_variables name non_trainable_variables
    non_trainable_weights output path quantization_mode quantize quantized_build quantized_call rematerialized_call
    reset_state reset_states return_sequences return_state save_own_variables set_weights single_state state_size
    stateful stateless_call states supports_jit supports_masking symbolic_call trainable trainable_variables
    trainable_weights unroll variable_dtype variables weights zero_output_for_mask
    output_size zero_state return_all_states debug time_major return_gates""".split()
)

# names of the generated module that a local variable must not hide
GENERATED = frozenset("tf keras self cls state scope sequences initial_state lengths kwargs NamedTuple float int list tuple zip".split())


def check(name: str, span: Span, report: Report, attribute: bool = False) -> bool:
    """Whether a spec may give this name; if not, it is reported (CG109). `attribute`: it becomes one of the layer's."""
    if not isinstance(name, str) or not parse.NAME.fullmatch(name):
        help = "a name starts with a letter and has letters, digits and `_`"
        report.add("CG109", f"`{name}` is not a name", span, help=help)
    elif len(name) > parse.MAX_NAME:
        report.add("CG108", f"a name of {len(name)} characters; at most {parse.MAX_NAME}", span)
    elif keyword.iskeyword(name) or keyword.issoftkeyword(name):
        report.add("CG109", f"`{name}` is a word of Python", span, help=_other(name))
    elif name in LANGUAGE:
        report.add("CG109", f"`{name}` is a word of the language", span, help=_other(name))
    elif name in OPS:
        report.add("CG109", f"`{name}` is a function of the language", span, help=_other(name))
    elif name in GENERATED:
        report.add("CG109", f"`{name}` has a meaning in the generated code", span, help=_other(name))
    elif attribute and name in KERAS:
        report.add("CG109", f"`{name}` would hide an attribute of Keras's layers", span, help=_other(name))
    else:
        return True
    return False


def _other(name: str) -> str:
    return f"choose another name, such as `{name}_size`" if name in ("input", "output") else f"choose another name, such as `the_{name}`"
