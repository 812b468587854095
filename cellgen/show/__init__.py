"""What `cellgen check` and `cellgen list` show of a spec, and what `cellgen new` starts one from."""

from cellgen.show import catalogue, start
from cellgen.show.cell_screen import line, screen
from cellgen.show.plan_screen import planscreen

__all__ = ["catalogue", "line", "planscreen", "screen", "start"]
