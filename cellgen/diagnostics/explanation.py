"""What a code of a diagnostic means, at more length than the diagnostic itself."""

import textwrap

from cellgen.diagnostics.codes import CODES
from cellgen.diagnostics.diagnostic import nearest

WIDTH = 88


def explain(code: str) -> str:
    """The entry of a code as text. Raises ValueError, which names the nearest code, for one that is not known."""
    name = code.strip().upper()
    name = f"CG{name}" if name.isdecimal() else name
    if name not in CODES:
        help = nearest(name, CODES) or f"they go from {min(CODES)} to {max(CODES)}"
        raise ValueError(f"no code `{code}`: {help}")
    entry = CODES[name]
    return "\n".join(
        (
            f"{name}: {entry.title}",
            "",
            textwrap.fill(entry.about, WIDTH, break_long_words=False, break_on_hyphens=False),
            "",
            "Wrong:",
            textwrap.indent(entry.wrong, "    "),
            "",
            "Right:",
            textwrap.indent(entry.right, "    "),
        )
    )
