"""How Sphinx builds the documentation: Markdown pages, and a reference read off the docstrings."""

import re
from typing import Any

from stochsim._version import __version__

project = "stochsim"
author = "the stochsim developers"
project_copyright = f"2026, {author}"
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["build"]

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_typehints = "none"  # the docstrings say shapes, which the annotations cannot
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False

html_theme = "furo"
html_title = f"stochsim {release}"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["wide.css"]


def escape_bars(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """E|X| is an expectation: outside of literals, bars are no substitutions of reStructuredText."""
    for i, line in enumerate(lines):
        parts = re.split(r"(``.*?``)", line)
        lines[i] = "".join(part if part.startswith("``") else part.replace("|", r"\|") for part in parts)


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", escape_bars, priority=900)  # after napoleon
