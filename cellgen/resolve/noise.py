"""`dropout` and `zoneout`: what a call in training draws at random, and what stands there otherwise.

`dropout(h[t-1], rate, per=sequence)` is `h[t-1] * K if training else h[t-1]`, K being 0 with the probability `rate` and
else 1 / (1 - rate): Srivastava et al. 2014, JMLR 15, 1929-1958; with one K for all steps Gal & Ghahramani 2016,
arXiv:1512.05287. `zoneout(new, h[t-1], rate, per=step)` is `h[t-1] * Z + new * (1 - Z)`, Z being 1 with the probability
`rate` and else 0, and `rate` where nothing is trained: Krueger et al. 2016, arXiv:1606.01305. `dropout` of a weight is
DropConnect, one draw for all samples and steps: Merity et al. 2017, arXiv:1708.02182.

Raises `Refused` (CG208) where a call is not so.
"""

from collections.abc import Callable
from fractions import Fraction

from cellgen.ir import PER, TRAINING, Apply, Choose, Free, Given, Node, Noise, Number, Pick, Ref
from cellgen.resolve.scope import Scope
from cellgen.text import Call

NOISES = {"dropout": "dropout(value, rate, per=step)", "zoneout": "zoneout(new, h[t-1], rate, per=step)"}
KINDS = {"dropout": "keep", "zoneout": "zone"}
ONE = Number(Fraction(1))


def noise(call: Call, scope: Scope, bind: Callable[[object, Scope], Node]) -> Node:
    """A call of `dropout` or `zoneout` as plain operations on what is drawn, which `scope` then knows."""
    name, form, refuse = call.name, NOISES[call.name], scope.report.refuse
    if not scope.draws:
        refuse("CG208", f"`{name}` stands in an equation of a cell only", call.name_span)
    count = form.count(",")
    if len(call.args) != count:
        refuse("CG208", f"`{name}` takes {count} values, not {len(call.args)}", call.span, help=f"write `{form}`")
    *values, rate = [bind(arg, scope) for arg in call.args]
    like = values[-1]
    if not (isinstance(like, Ref) or isinstance(like, Pick) and isinstance(like.value, Ref)):
        help = "give it an equation: `new = ...`, then `dropout(new, rate, per=step)`"
        if name == "zoneout":
            help = "write `zoneout(new, h[t-1], rate, per=step)`"
        refuse("CG208", f"`{name}` is of a value that has a name", like.span, help=help)
    said = like.value if isinstance(like, Pick) else like
    weight = said.name in scope.params
    if said.name in scope.options or weight and name == "zoneout":
        refuse("CG208", f"`{said.name}` is no value of a step", like.span)
    label = f"_{like.label}" if isinstance(like, Pick) else ""
    ago = "_prev" if said.ago and name == "dropout" else ""
    drawn = Free(each.name for each in scope.noises).numbered(f"_{KINDS[name]}_{said.name}{label}{ago}")
    rate, held = _rate(rate, name, scope), _held(call, scope)
    if weight and not held:
        refuse("CG208", "a weight is dropped for all steps", call.span, help="write `per=sequence`")
    scope.noises.append(Noise(drawn, KINDS[name], rate, held, like, call.span))
    return _dropout(like, drawn, call) if name == "dropout" else _zoneout(values[0], like, drawn, rate, call)


def _dropout(value: Node, drawn: str, call: Call) -> Node:
    product = Apply("mul", (value, Ref(drawn, 0, call.span)), (), call.span)
    return Choose(Given(TRAINING, call.span), product, value, call.span)


def _zoneout(new: Node, old: Node, drawn: str, rate: Node, call: Call) -> Node:
    span = call.span
    part = Choose(Given(TRAINING, span), Ref(drawn, 0, span), rate, span)
    kept, changed = Apply("mul", (old, part), (), span), Apply("sub", (ONE, part), (), span)
    return Apply("add", (kept, Apply("mul", (new, changed), (), span)), (), span)


def _rate(rate: Node, name: str, scope: Scope) -> Number | Ref:
    """A number from 0 to 1, or an option that is one."""
    refuse = scope.report.refuse
    match rate:
        case Number(value):
            if not 0 <= value <= 1:
                refuse("CG208", "a rate is a number from 0 to 1", rate.span)
            return rate
        case Ref(option) if option in scope.options and scope.options[option].kind == "number":
            low, high = scope.options[option].low, scope.options[option].high
            if low is None or high is None or low < 0 or high > 1:
                help = f"declare it so: `options: {{{option}: {{default: 0.0, in: [0, 1]}}}}`"
                refuse("CG208", f"`{option}` is a rate, so it is from 0 to 1", rate.span, help=help)
            return rate
    help = f"write `options: {{rate: {{default: 0.0, in: [0, 1]}}}}` and `{NOISES[name]}`"
    refuse("CG208", "a rate is a number or an option that is one", rate.span, help=help)


def _held(call: Call, scope: Scope) -> bool:
    """Whether what is drawn holds for a sequence."""
    refuse, help = scope.report.refuse, f"write `{NOISES[call.name]}`, or `per=sequence`: drawn once for all steps"
    if not call.attrs:
        refuse("CG208", f"`{call.name}` says how long a draw holds", call.span, help=help)
    for key, value, span in call.attrs:
        if key != "per" or len(call.attrs) > 1:
            refuse("CG208", f"`{call.name}` has the keyword `per` alone", span, help=help)
        if value not in ((each,) for each in PER):
            refuse("CG208", "`per` is `step` or `sequence`", span, help=help)
        return value == ("sequence",)
