"""`python -m cellgen`."""

import sys

from cellgen.cli import main

if __name__ == "__main__":
    sys.exit(main())
