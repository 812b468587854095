"""What a spec may hold: `Document` and its sections.

pydantic reads these models twice, once to check a tree and once to print the JSON Schema.
"""

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from cellgen.diagnostics import Span
from cellgen.document.kinds import (
    NAME,
    SIZE,
    VALUE,
    WORD,
    Amount,
    Bound,
    Family,
    Flag,
    Form,
    Init,
    Key,
    Labels,
    Lines,
    Name,
    Papers,
    Shape,
    Size,
    Start,
    Table,
    Text,
    Value,
    Version,
    Words,
    a_list,
    a_mapping,
    short,
)
from cellgen.text import Scalar


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class OptionSection(Section):
    """`true`, `1.0`, `none`, or a mapping: `{one_of: [blend, select]}`, `{default: 1.0, in: [0, inf]}`."""

    default: Value | None = Field(None, description="the value when the argument is not given")
    one_of: Annotated[Any, WithJsonSchema({"oneOf": [{"const": "activations"}, {"type": "array", "items": NAME}]})] = (
        None
    )
    range: Annotated[list[Bound], a_list("`[low, high]`")] | None = Field(
        None, alias="in", description="the values a number may have; `inf` and `-inf` are no bound"
    )
    optional: Flag | None = Field(None, description="a number that may be none too")
    scheduled: Flag | None = Field(None, description="settable while training, never trained")


class InputSection(Section):
    """`[input]`, or a mapping."""

    shape: Shape
    values: Annotated[list[Amount], a_list("`[0, 1]`")] | None = Field(
        None, description="`[0, 1]`: the values are 0 or 1"
    )
    default: Amount | None = None
    optional: Flag | None = None
    per: Name | None = Field(None, description="`sequence`: one value for all steps; else `step`")
    index: Flag | None = Field(None, description="where it is not given, it is the number of the step: 0, 1, 2, ...")


class StateSection(Section):
    """`units`, `[units]`, or a mapping."""

    shape: Shape
    values: Annotated[list[Amount], a_list("`[0, 1]`")] | None = Field(
        None, description="`[0, 1]`: the values are 0 or 1"
    )
    initial: Start | None = Field(None, description="the value before the first step; zeros if not said")


class ParamSection(Section):
    """`[input, units]`, or a mapping: a weight."""

    shape: Shape
    init: (
        Annotated[
            dict[Key, Init],
            a_mapping("an initialiser, or a mapping with one for each label"),
            short("else", Scalar),
            WithJsonSchema({"oneOf": [WORD, {"type": "object"}]}),
        ]
        | None
    ) = Field(
        None,
        description="an initialiser of Keras, a number, or one for each label and `else`; "
        "`glorot_uniform` if not said, `zeros` for a vector",
    )
    trainable: Flag | None = Field(None, description="`false`: it keeps its initial value; trained if not said")


class NormSection(Section):
    """A norm with a stated span: `ln(v)` in an equation."""

    kind: Annotated[Name, WithJsonSchema({"enum": ["layer", "rms"]})]
    over: Shape
    epsilon: Start = Field(description="a number or an option")
    scale: Init | None = None
    shift: Init | None = None

    # what other libraries call them
    named: ClassVar = {
        "axis": "over",
        "axes": "over",
        "eps": "epsilon",
        "gamma": "scale",
        "beta": "shift",
        "type": "kind",
    }


class MaskSection(Section):
    """`hold`, `reset`, `none`, or `{kind: reset, states: [h, c]}`."""

    kind: Annotated[Name, WithJsonSchema({"enum": ["hold", "reset", "none"]})]
    states: Words | None = None


Option = Annotated[
    OptionSection,
    a_mapping("a default, or a mapping"),
    short("default", Scalar),
    Form(VALUE),
]
Input = Annotated[
    InputSection,
    a_mapping("a shape, or a mapping"),
    short("shape", Scalar, list),
    Form({"type": "array", "items": SIZE}),
]
State = Annotated[
    StateSection,
    a_mapping("a shape, or a mapping"),
    short("shape", Scalar, list),
    Form({"type": ["array", "string", "integer"]}),
]
Param = Annotated[
    ParamSection,
    a_mapping("a shape, or a mapping with `shape` and `init`"),
    short("shape", Scalar, list),
    Form({"type": ["array", "string", "integer"]}),
]
Norm = Annotated[NormSection, a_mapping("a mapping with `kind`, `over` and `epsilon`")]
Mask = Annotated[
    MaskSection,
    a_mapping("`hold`, `reset`, `none`, or a mapping"),
    short("kind", Scalar),
    Form({"enum": ["hold", "reset", "none"]}),
]


class Document(Section):
    """A recurrent cell for cellgen: its equations and what they are made of."""

    language: Version | None = Field(None, description="the version of the language: 1")
    cell: Name = Field(description="the name of the class")
    about: Text | None = Field(None, description="one sentence")
    family: Family | None = Field(None, description="the kind of cell, in lists of them")
    papers: Papers = Field([], description="where the equations come from, with their numbers")
    dims: Table[Size] = Field({}, description="named sizes; `input` is inferred, others are required if not said")
    gates: Labels | None = None
    axes: Table[Labels] = Field({}, description="further labelled axes")
    options: Table[Option] = Field({}, description="constructor arguments with a default")
    inputs: Table[Input] | None = Field(None, description="`{x: [input]}` if not said")
    state: Table[State] = Field(description="the state tuple, in order")
    output: Name | None = Field(None, description="a state or another value; the first state if not said")
    trace: Words | None = Field(None, description="values that the layer returns of every step, if it is asked to")
    params: Table[Param] = Field({}, description="the weights, in order")
    norms: Table[Norm] = Field({}, description="norms, called in the equations by name")
    mask: Mask | None = Field(None, description="what a masked step does: `hold` if not said")
    equations: Lines = Field(description="one step, one equation a line")
    laws: Lines | None = Field(None, description="claims to prove, one a line")

    named: ClassVar = {"weights": "params", "name": "cell", "description": "about", "references": "papers"}
    span: ClassVar[Span]
