"""Sphinx: ``tox -e docs`` builds these pages, with every warning an error."""

import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(HERE, os.pardir, "jhpatch", "__init__.py"), encoding="utf-8") as file:
    release = re.search(r'^__version__ = "([^"]+)"$', file.read(), re.M).group(1)

project = "jhpatch"
author = "The jhpatch contributors"
extensions = ["myst_parser", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
copybutton_selector = "div.highlight-bash pre, div.highlight-python pre, div.highlight-yaml pre"
html_theme = "pydata_sphinx_theme"
html_title = "jhpatch " + release
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "show_nav_level": 2,
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
}
html_sidebars = {page: [] for page in ("index", "install", "tutorial")}
