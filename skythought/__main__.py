"""`python -m skythought` is `skythought`."""

from __future__ import annotations

import sys

from skythought.cli import main

if __name__ == "__main__":
    sys.exit(main())
