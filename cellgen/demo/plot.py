"""Figures as one picture: the curves, the firing of the detectors, and the text with its boundaries."""

from io import BytesIO

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cellgen.demo.figures import Figures
from cellgen.demo.words import shown

COLOURS = "#b93a13", "#33689c", "#2f7d5b"  # of the models
LAYERS = "#b93a13", "#7a4bb0"  # of the detectors
WIDE = 90  # characters of text in a line
LINE = 0.08  # of the height of the text's part


def plot(figures: Figures) -> bytes:
    """PNG."""
    figure = Figure(figsize=(11, 7.2), layout="constrained")
    parts = figure.subplot_mosaic(
        [["curves", "firing"], ["text", "text"]], height_ratios=[1.25, 1], width_ratios=[1.7, 1]
    )
    _curves(parts["curves"], figures)
    _firing(parts["firing"], figures)
    _text(parts["text"], figures)
    out = BytesIO()
    figure.savefig(out, format="png", dpi=130, metadata={"Software": "cellgen demo"})
    return out.getvalue()


def _curves(axes: Axes, figures: Figures) -> None:
    for colour, entry in zip(COLOURS, figures.entries, strict=True):
        steps = [each.step for each in entry.points]
        axes.plot(steps, [each.train for each in entry.points], color=colour, linewidth=0.9, alpha=0.6)
        valid = [each.valid for each in entry.points]
        axes.plot(steps, valid, color=colour, linewidth=2, label=f"{entry.title}, test {entry.test:.2f}")
    best = min(figures.ngrams)
    for length, bits in enumerate(figures.ngrams[: figures.ngrams.index(best) + 1]):
        axes.axhline(bits, color="#888888", linewidth=0.8, linestyle=":")
        axes.annotate(
            f"{length}", (1, bits), (4, -3), ("axes fraction", "data"), "offset points", fontsize=8, color="#666666"
        )
    axes.set(title="bits per character (bold: validation, thin: training; dotted: n-grams by context)", xlabel="steps")
    axes.title.set_fontsize(10)
    axes.legend(frameon=False)
    _plain(axes)


def _firing(axes: Axes, figures: Figures) -> None:
    steps = [each.step for each in figures.ours.points]
    for at, (colour, found) in enumerate(zip(LAYERS, figures.detectors, strict=True)):
        axes.plot(
            steps, [each.rates[at] for each in figures.ours.points], color=colour, linewidth=2, label=f"z{found.layer}"
        )
    axes.axhline(figures.spaces, color="#888888", linewidth=0.8, linestyle=":", label="spaces")
    axes.set(title="share of the characters that a detector fires on", xlabel="steps", ylim=(-0.02, 1.02))
    axes.title.set_fontsize(10)
    axes.legend(frameon=False)
    _plain(axes)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.2)


def _text(axes: Axes, figures: Figures) -> None:
    axes.set_axis_off()
    height = 1.0
    for line in shown(figures, WIDE, 0, figures.excerpt.piece):
        for layer, marks in reversed(list(enumerate(line.marks, 1))):
            _row(axes, height, f"z{layer}  {marks}", LAYERS[layer - 1])
            height -= LINE
        _row(axes, height, f"    {line.text}", "#1d1f23")
        height -= 1.7 * LINE


def _row(axes: Axes, height: float, text: str, colour: str) -> None:
    axes.text(0.01, height, text, family="monospace", fontsize=12, color=colour, va="top", transform=axes.transAxes)
