"""What `cellgen check` shows of a spec, and what `cellgen new` starts one from."""

from cellgen.show import start
from cellgen.show.cell_screen import line, recurrences, screen
from cellgen.show.plan_screen import planscreen

__all__ = ["line", "planscreen", "recurrences", "screen", "start"]
