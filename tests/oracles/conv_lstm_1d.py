"""The oracle of `conv_lstm`, along one axis."""

from tests.oracles.conv_lstm import ACTIVATIONS, SILENT, TRIED, shapes, step

__all__ = ["ACTIVATIONS", "SILENT", "SIZES", "TRIED", "shapes", "step"]

SIZES = [{"filters": 3, "rows": 5, "channels": 2, "batch": 2}, {"filters": 2, "rows": 3, "channels": 3, "batch": 3}]
