"""The oracle of `conv_lstm`, along three axes."""

from tests.oracles.conv_lstm import ACTIVATIONS, SILENT, shapes, step

__all__ = ["ACTIVATIONS", "SILENT", "SIZES", "TRIED", "shapes", "step"]

SIZES = [
    {"filters": 2, "depth": 3, "rows": 2, "columns": 4, "channels": 2, "batch": 2},
    {"filters": 3, "depth": 2, "rows": 4, "columns": 3, "channels": 1, "batch": 2},
]
TRIED = {"kernel_size": (3, 1)}
