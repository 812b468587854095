"""Where the checkout is, for tests in any folder."""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
