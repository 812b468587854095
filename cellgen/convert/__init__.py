"""Weights of other libraries to those of a generated layer, by name, and back."""

from cellgen.convert.gate_columns import Block, Layout, Refused, Sizes, layout, layout_of
from cellgen.convert.weights import TF1, Format, Keras, Onnx, Torch, checkpoint, export_weights, import_weights

__all__ = [
    "Block",
    "Format",
    "Keras",
    "Layout",
    "Onnx",
    "Refused",
    "Sizes",
    "TF1",
    "Torch",
    "checkpoint",
    "export_weights",
    "import_weights",
    "layout",
    "layout_of",
]
