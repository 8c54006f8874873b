"""HTML for outputs of a notebook: escaped, without scripts, in the reader's own colours, its text beside it.

Styles stand in the elements, and none of them sets a background: the text keeps its contrast in a light
theme, in a dark one and in print. Signs come with a word, so that nothing depends on a colour. What a page
leaves out of these styles (GitHub leaves out all of them) takes no word with it.
"""

from __future__ import annotations

import html
import re
import sys
from typing import Any

QUIET = "opacity:.75;font-size:90%"  # what is there for those who ask
TONES = {
    "good": "#2b8a55",
    "bad": "#d04545",
    "open": "#a8741a",
    "plain": "#7d7d7d",
}  # of a card's edge and sign
_CELL = "text-align:left;vertical-align:top;padding:.2em .9em .2em 0;border:0;font-weight:normal"


def in_notebook() -> bool:
    """Whether a kernel runs this, so that a page shows what is displayed (a terminal shows text)."""
    ipython = sys.modules.get("IPython")  # already imported in a notebook, and slow to import elsewhere
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


def show(page: str, text: str, *, about: dict[str, Any] | None = None) -> None:
    """Display HTML with its text form beside it; print the text where no notebook is.

    Args:
        about: metadata of the output.
    """
    if not in_notebook():
        print(text)
        return
    from IPython.display import display

    display({"text/html": page, "text/plain": text}, raw=True, metadata=about or {})


def marked(text: str) -> str:
    """Escaped for HTML, with `code` between backticks and *stress* between stars set as such."""
    parts = re.split(r"`([^`]+)`", text)
    for place, part in enumerate(parts):
        escaped = html.escape(part, quote=False)
        stressed = re.sub(r"(?<![\w*])\*(?=\S)([^*]+?)(?<=\S)\*(?![\w*])", r"<em>\1</em>", escaped)
        parts[place] = f"<code>{escaped}</code>" if place % 2 else stressed
    return "".join(parts)


def sign(mark: str, word: str) -> str:
    """A sign whose word a screen reader says: ✓ "holds"."""
    word = html.escape(word)
    return f'<span role="img" aria-label="{word}" title="{word}">{mark}</span>'


def card(tone: str, mark: str, word: str, *body: str) -> str:
    """A verdict or a message: an edge and a sign in colour, a word that says the same, and what follows.

    Args:
        tone: "good", "bad", "open" or "plain".
        mark: the sign, one letter. word: plain text.
        body: blocks of HTML; empty ones are left out.
    """
    colour = TONES[tone]
    head = f'<span style="color:{colour};font-weight:bold" aria-hidden="true">{html.escape(mark)}</span>'
    verdict = paragraph(f"{head} <strong>{marked(word)}</strong>")
    edge = f"border-left:4px solid {colour};padding:.1em 0 .1em .8em;margin:.3em 0"
    return "\n".join([f'<div style="{edge}">', verdict, *filter(None, body), "</div>"])


def paragraph(page: str) -> str:
    """A paragraph of HTML, nothing around nothing."""
    return f'<p style="margin:.3em 0">{page}</p>' if page else ""


def inline_code(text: str) -> str:
    """A piece of code within a line."""
    return f'<code style="overflow-wrap:anywhere">{html.escape(text, quote=False)}</code>'


def code(text: str) -> str:
    """A block of code as it can be copied and pasted."""
    return f'<pre style="margin:.4em 0;overflow-x:auto"><code>{html.escape(text, quote=False)}</code></pre>'


def bar(done: int, total: int) -> str:
    """A bar that says how much is done, and says it in words."""
    return (
        f'<progress value="{done}" max="{total}" aria-label="{done} of {total}">{done} of {total}</progress>'
    )


def details(summary: str, body: str, *, style: str = "") -> str:
    """What opens on demand: a line of HTML, and the HTML behind it."""
    styled = f' style="{style}"' if style else ""
    return f"<details{styled}><summary>{summary}</summary>{body}</details>"


def table(rows: list[str], *, label: str) -> str:
    """Rows of `row` as a table without lines; it is as wide as it needs to be."""
    head = f'<table style="border:0;margin:.3em 0" aria-label="{html.escape(label)}"><tbody>'
    return "\n".join([head, *rows, "</tbody></table>"])


def row(cells: list[str], *, head: int = 0, id: str = "") -> str:
    """A row of HTML cells; the one in place `head` names it."""
    named = f' id="{html.escape(id)}"' if id else ""
    shown = [
        f'<th scope="row" style="{_CELL}">{cell}</th>'
        if place == head
        else f'<td style="{_CELL}">{cell}</td>'
        for place, cell in enumerate(cells)
    ]
    return f'<tr{named} style="background:none;border:0">{"".join(shown)}</tr>'
