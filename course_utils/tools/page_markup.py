"""Parts of the pages of site and editions that notebooks have no need of."""

from __future__ import annotations

from pygments import highlight  # type: ignore[import-untyped]
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from pygments.lexers import PythonLexer  # type: ignore[import-untyped]


def highlighted(code: str) -> str:
    """Python as HTML in the classes that the theme colours, in light and in dark."""
    body = highlight(code, PythonLexer(), HtmlFormatter(nowrap=True)).rstrip("\n")
    return (
        '<div class="highlight-python notranslate"><div class="highlight">'
        f'<pre tabindex="0">{body}\n</pre></div></div>'
    )


def raw(page: str) -> str:
    """HTML as a block of MyST markdown."""
    return f"``````{{raw}} html\n{page}\n``````"
