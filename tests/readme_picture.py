"""README's picture: its table of speed, as dots on a line. `python -m tests.readme_picture` draws it anew."""

import math
import re

from tests.checkout import CHECKOUT

PICTURE = CHECKOUT / "cellgen" / "guide" / "speed.svg"
UNITS = {"ms": 1.0, "s": 1000.0}
COLOURS = ("#b93a13", "#33689c", "#2f7d5b", "#7a4bb0", "#8a6d1d", "#8b9099")
LEFT, RIGHT, TOP, ROW = 60, 690, 62, 34
LEAST, MOST = 0.05, 16.0  # times cellgen's


def table() -> tuple[list[str], dict[str, list[float | None]]]:
    """README's table of speed: the contestants, and of each workload the milliseconds of each."""
    lines = (CHECKOUT / "README.md").read_text(encoding="utf-8").split("\n## Speed\n")[1].split("\n## ")[0].splitlines()
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|"))
    return head[1:], {row[0].split(",")[0]: [_milliseconds(cell) for cell in row[1:]] for row in rows}


def _milliseconds(cell: str) -> float | None:
    found = re.fullmatch(r"([\d.]+) (ms|s)", cell)
    return float(found[1]) * UNITS[found[2]] if found else None


def picture() -> str:
    """Of each workload, how many times as long as cellgen each contestant takes, on a logarithmic axis."""
    names, rows = table()
    bottom = TOP + ROW * len(rows)
    box = f'viewBox="0 0 720 {bottom + 36}"'
    found = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box} font-family="sans-serif" font-size="12">',
        "<title>A training step, in times of cellgen's: README's table as dots</title>",
        f'<rect width="720" height="{bottom + 36}" fill="#fcfcfa"/>',
    ]
    for index, (name, colour) in enumerate(zip(names, COLOURS, strict=True)):
        x, y = LEFT + 215 * (index % 3), 18 + 18 * (index // 3)
        found.append(f'<circle cx="{x}" cy="{y - 4}" r="5" fill="{colour}"/><text x="{x + 10}" y="{y}">{name}</text>')
    for times in (0.1, 0.25, 0.5, 1, 2, 4, 8, 16):
        x, wide = _at(times), 1.5 if times == 1 else 0.5
        found.append(f'<path d="M{x} {TOP - 12}V{bottom}" stroke="#8b9099" stroke-width="{wide}"/>')
        found.append(f'<text x="{x}" y="{bottom + 18}" text-anchor="middle">{times:g}x</text>')
    for index, (workload, times) in enumerate(rows.items()):
        y = TOP + ROW * index + ROW // 2 - 6
        found.append(f'<text x="16" y="{y + 4}">{workload}</text><path d="M{LEFT} {y}H{RIGHT}" stroke="#dedfda"/>')
        for colour, value in reversed(list(zip(COLOURS, times, strict=True))):
            if value is not None:
                found.append(f'<circle cx="{_at(value / times[0])}" cy="{y}" r="5.5" fill="{colour}"/>')
    return "\n".join([*found, "</svg>", ""])


def _at(times: float) -> float:
    share = math.log(times / LEAST) / math.log(MOST / LEAST)
    return round(LEFT + share * (RIGHT - LEFT), 1)


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
