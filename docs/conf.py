"""The docs as a site: `make docs` writes build/docs/index.html, with every link checked."""

from __future__ import annotations

import re
from typing import Any

project = "skythought"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "skythought"
myst_heading_anchors = 4
myst_enable_extensions = ["dollarmath"]
exclude_patterns = ["conf.py"]
highlight_language = "none"
OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./[^)]+\)")


def inside(app: Any, name: str, source: list[str]) -> None:
    """Show links to files of the repository as their names: the site does not hold them."""
    source[0] = OUTSIDE.sub(r"\1", source[0])


def setup(app: Any) -> None:
    """Connect with Sphinx."""
    app.connect("source-read", inside)
