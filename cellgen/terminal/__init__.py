"""What is said on a terminal, and what is being worked on."""

from cellgen.terminal.collector import uncollected
from cellgen.terminal.console import bug, count, say, show, show_page, tell
from cellgen.terminal.progress import PATIENCE, Progress

__all__ = ["PATIENCE", "Progress", "bug", "count", "say", "show", "show_page", "tell", "uncollected"]
