"""results.json in, one page out that needs no network and no scripts."""

from __future__ import annotations

from html import escape
from typing import Any

from skythought.reporting import markdown
from skythought.reporting.runs import Study


def page(study: Study, results: dict[str, Any]) -> str:
    """Write report.html."""
    text = escape(markdown.page(results))
    return f"<!doctype html><title>{escape(study.name)}</title><pre>{text}</pre>"
