"""Sphinx settings of the course's site. `make site` puts the source folder together and runs Sphinx on it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import course_utils
from course_utils.tools.site import api, build, formulas, icons, search, text_links

project = "How neural networks are optimised and regularised"
author = "The course's authors"
copyright = "the course's authors. Code: MIT. Words and figures: CC BY 4.0"
version = release = course_utils.__version__
language = "en-GB"

highlight_language = "none"
add_module_names = False
extensions = ["myst_nb", "sphinx.ext.autodoc"]
exclude_patterns = ["_static/**"]

# Lessons: the committed outputs, never executed.
nb_execution_mode = "off"
nb_merge_streams = False
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath", "attrs_block", "attrs_inline"]
myst_heading_anchors = 3
myst_dmath_double_inline = True

# Mathematics: MathJax sets it as the site is built.
html_math_renderer = formulas.RENDERER
myst_update_mathjax = False

# Reference: docstrings are plain text, see course_utils/tools/site/api.py.
autodoc_inherit_docstrings = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True

html_theme = "sphinx_book_theme"
html_favicon = "_static/favicon.svg"
html_domain_indices = False
html_title = "Optimisation and regularisation"
html_static_path = ["_static"]
templates_path = ["_templates"]
html_additional_pages = {"search": "search.html"}  # ours, see course_utils/tools/site/search.py
html_css_files = ["course.css", "live.css"]
html_js_files = [("course.js", {"defer": "defer"}), ("course.progress.js", {"defer": "defer"})]
html_copy_source = False
html_show_sourcelink = False
html_permalinks_icon = "#"
html_context = {"default_mode": "auto"}
html_theme_options = {
    "navbar_persistent": [],
    "use_download_button": False,
    "use_fullscreen_button": False,
    "use_source_button": False,
    "use_repository_button": False,
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "home_page_in_toc": True,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}


def translate_docstring(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """The package's plain-text docstrings as reStructuredText."""
    lines[:] = api.as_rst(lines)


def setup(app: Any) -> None:
    """The site's own static files, cell anchors, docstrings."""
    app.config.html_static_path.append(str(Path(app.srcdir) / "_static"))
    app.connect("autodoc-process-docstring", translate_docstring)
    app.connect("doctree-read", build.anchors)
    app.connect("doctree-resolved", text_links.link)
    search.install(app)
    formulas.install(app)
    app.connect("build-finished", icons.reduce)
