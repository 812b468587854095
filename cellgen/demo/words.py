"""Figures in words: what is seen, without a wish what it should be; and what the command prints."""

from collections.abc import Sequence
from textwrap import fill

from cellgen.demo.boundaries import Line, lines, plain
from cellgen.demo.figures import Detector, Figures

NEVER, ALWAYS = 0.02, 0.98  # a detector that fires less often, or more, tells nothing
ABOUT = 0.1  # of random firing's F1, within which another is no better or worse


def findings(figures: Figures) -> tuple[str, ...]:
    """Sentences, the most important first."""
    return (_bits(figures), _against_counts(figures), *map(_detector, figures.detectors), _operations(figures))


def _bits(figures: Figures) -> str:
    ours, *others = figures.entries
    first, *rest = [f"{each.test:.2f}" for each in figures.entries]
    said = _listed([f"the {ours.title} needs {first}", *(f"the {e.title} {bits}" for e, bits in zip(others, rest))])
    place = [f"{'ahead of' if ours.test < each.test else 'behind'} the {each.title}" for each in others]
    return (
        f"On {figures.corpus['test']:,} characters that none of them was trained on, {said} bits per character: "
        f"with about as many weights, the {ours.title} is {_listed(place)}."
    )


def _against_counts(figures: Figures) -> str:
    ours, best = figures.ours, min(figures.ngrams)
    at = figures.ngrams.index(best)
    if ours.test < best:
        return f"It is better than counts of n-grams ever are here: {best:.2f}, after {_characters(at)}."
    beaten = [length for length, bits in enumerate(figures.ngrams[: at + 1]) if ours.test < bits]
    so_far = (
        f"better than counts after {_characters(beaten[-1])} ({figures.ngrams[beaten[-1]]:.2f})"
        if beaten
        else f"not even as good as counts of single characters ({figures.ngrams[0]:.2f})"
    )
    return f"It is {so_far}; the best counts of n-grams come to {best:.2f}, after {_characters(at)}."


def _characters(number: int) -> str:
    return f"{number or 'no'} character{'s' * (number != 1)} of context"


def _detector(found: Detector) -> str:
    name = f"z{found.layer}"
    if found.rate < NEVER:
        return (
            f"{name} hardly fires, on {found.rate:.1%} of the characters: layer {found.layer} has found no boundaries."
        )
    if found.rate > ALWAYS:
        return f"{name} fires on {found.rate:.1%} of the characters: what it marks are no boundaries."
    mostly = [character.replace(" ", "spaces") for character, rate in found.characters.items() if rate > 0.5]
    on = f"more often than not on {_listed(mostly)}" if mostly else "on none of them more often than not"
    apart = found.f1 / found.chance - 1 if found.chance else 0
    verdict = "about" if abs(apart) < ABOUT else "more than" if apart > 0 else "less than"
    return (
        f"{name} fires on {found.rate:.0%} of the characters, {on}. Taken for a guess at the spaces its F1 is "
        f"{found.f1:.2f}, {verdict} the {found.chance:.2f} of random firing as often."
    )


def _operations(figures: Figures) -> str:
    piece, done = figures.excerpt.piece, [each.computed for each in figures.excerpt.operations]
    copied = 1 - sum(done) / (len(done) * piece)
    return (
        f"On the {piece} characters shown, the layers have a new state in {_listed([str(each) for each in done])} "
        f"steps, {sum(done)} together instead of a plain stack's {len(done) * piece}: {copied:.0%} of the steps only "
        "copy. That is a count; here a step that copies takes as long as any other."
    )


def _listed(words: Sequence[str]) -> str:
    *front, last = words
    return f"{', '.join(front)} and {last}" if front else last


def shown(figures: Figures, width: int, start: int, stop: int) -> tuple[Line, ...]:
    """A part of the excerpt in lines."""
    part = slice(start, stop)
    return lines(figures.excerpt.text[part], [each[part] for each in figures.excerpt.fired], width)


def told(figures: Figures, width: int) -> str:
    """For standard output: a table, the text with its boundaries, the sentences."""
    rows = [("", "units", "weights", "test bits", "s a step")]
    rows += [
        (each.title, f"3 x {each.units}", f"{each.parameters:,}", f"{each.test:.3f}", f"{each.seconds:.3f}")
        for each in figures.entries
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = [
        "  ".join(cell.rjust(size) if at else cell.ljust(size) for at, (cell, size) in enumerate(zip(row, widths)))
        for row in rows
    ]
    counts = " ".join(f"{each:.2f}" for each in figures.ngrams)
    table.append(f"counts of n-grams, 0 to {len(figures.ngrams) - 1} characters of context: {counts}")
    text = plain(shown(figures, width, 0, figures.excerpt.piece))
    said = [fill(each, width + 4, initial_indent="- ", subsequent_indent="  ") for each in findings(figures)]
    return "\n".join([*table, "", text, "", *said])
