"""What the spec of a stack may hold: `StackDocument` and its sections."""

from typing import Annotated, Any, ClassVar

from pydantic import Field, WithJsonSchema

from cellgen.diagnostics import Span
from cellgen.document.cell_document import Document, Input, Option, Param, Section
from cellgen.document.kinds import NAME, Family, Lines, Name, Papers, Size, Table, Text, Version, a_mapping


class ReadoutSection(Section):
    """What is computed from the states of all layers at once."""

    params: Table[Param] = Field({}, description="its weights; a shape that names `each.` is of one for each layer")
    equations: Lines = Field(description="one equation a line: `each.h`, `concat(each.h)`, `sum(each.a)`")


class StackDocument(Section):
    """A stack of layers of one cell for cellgen, and how they are wired."""

    language: Version | None = Field(None, description="the version of the language: 1")
    stack: Name = Field(description="the name of the class")
    cell: Name = Field(description="the stem of the cell's spec")
    about: Text | None = Field(None, description="one sentence")
    family: Family | None = Field(None, description="the kind of cell, in lists of them")
    papers: Papers = Field([], description="where the wiring comes from")
    layers: Annotated[Any, WithJsonSchema(NAME)] = Field(
        description="a dim of the cell, given as a list with a size a layer; or another name, given as their number"
    )
    dims: Table[Size] = Field({}, description="named sizes of the readout")
    options: Table[Option] = Field({}, description="constructor arguments besides those of the cell")
    inputs: Table[Input] | None = Field(None, description="`{x: [input]}` if not said")
    params: Table[Param] = Field({}, description="weights of the wiring, one a layer that reads it")
    wiring: Lines | None = Field(None, description="what each port of the cell reads, one a line")
    readout: Annotated[ReadoutSection, a_mapping("a mapping with `equations`")] | None = None
    output: Name | None = Field(None, description="a value of the readout; the last layer's output if not said")

    named: ClassVar = {"weights": "params", "name": "stack", "equations": "wiring", "description": "about"}
    span: ClassVar[Span]


def as_cell(document: StackDocument) -> Document:
    """What the declarations of a stack are, as those of a cell."""
    return Document.model_construct(
        language=None,
        cell=document.stack,
        about=None,
        family=None,
        papers=[],
        dims=document.dims,
        gates=None,
        axes={},
        options=document.options,
        inputs=document.inputs,
        state={},
        output=None,
        params=document.params,
        norms={},
        mask=None,
        equations=document.wiring,
        laws=None,
        trace=None,
    )
