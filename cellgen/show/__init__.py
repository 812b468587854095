"""What `cellgen check` and `cellgen list` show of a spec, and what `cellgen new` starts one from."""

from cellgen.show import start
from cellgen.show.cell_screen import line, screen
from cellgen.show.plan_screen import planscreen
from cellgen.show.start import cards

__all__ = ["cards", "line", "planscreen", "screen", "start"]
