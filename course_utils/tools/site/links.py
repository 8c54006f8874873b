"""Links in a lesson's prose: to its claims, `(#claim-05-quarter)`, and to lessons, `(18_topic.ipynb)`.

They work in the notebook. Wherever its text is shown in another place they need another form.
"""

from __future__ import annotations

import re

_CLAIM = re.compile(r"\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\((#claim-[a-z0-9-]+)\)")
_LESSON = re.compile(r"\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\((\d\d_\w+)\.ipynb\)")


def on_the_page(text: str) -> str:
    """For the lesson's own page: anchors of claims stand in HTML, which MyST does not know as targets."""
    return _CLAIM.sub(r'<a href="\2">\1</a>', text)


def from_another_page(text: str, lesson: str) -> str:
    """For a page beside the folder `lessons/` that quotes the lesson of this name."""
    text = _CLAIM.sub(rf'<a href="lessons/{lesson}.html\2">\1</a>', text)
    return _LESSON.sub(r"[\1](lessons/\2.ipynb)", text)


def taken_out(text: str) -> str:
    """For slides, which have neither: the words of the links alone."""
    return _LESSON.sub(r"\1", _CLAIM.sub(r"\1", text))
