"""What keeps pages light: formulas set as the site is built, icons left out, figures that are small."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest
import quickjs

from course_utils.tools.site import formulas, icons

THEME = Path(str(files("pydata_sphinx_theme"))) / "theme" / "pydata_sphinx_theme" / "static"


@pytest.fixture(scope="module")
def setter() -> formulas.Typesetter:
    return formulas.Typesetter()


@pytest.mark.parametrize(
    "tex",
    [
        r"\hat m = \frac{m}{1-\beta_1^t}, \quad \theta \leftarrow \theta - \eta\,\frac{\hat m}{\sqrt v}.",
        r"\Bigl\lceil\frac bw\Bigr\rceil \quad\text{steps}",
        r"\begin{align} a &= b \\ c &= d \end{align}",
        formulas.lines(r"a &= b \\ c &= d"),
        r"\underbrace{\mathbb E x}_{\text{mean}} \binom{n}{k} \operatorname{tr}(H\Sigma) \lVert W \rVert",
    ],
)
def test_a_formula_is_a_picture_with_its_meaning_beside_it(tex: str, setter: formulas.Typesetter) -> None:
    page = setter.typeset(tex, display=True)
    assert page.startswith("<mjx-container")
    assert "<path" in page
    assert "currentColor" in page  # dark and light
    assert re.search(r"<mjx-assistive-mml[^>]*><math", page)
    assert "merror" not in page


@pytest.mark.parametrize(("tex", "words"), [(r"\frac{a", "Missing close brace"), (r"\nonsense", "Undefined")])
def test_a_mistake_is_named(tex: str, words: str, setter: formulas.Typesetter) -> None:
    with pytest.raises(formulas.FormulaError, match=words) as caught:
        setter.typeset(tex, display=True)
    assert tex in str(caught.value)
    assert "mjx-container" in setter.typeset("x", display=False)  # and it goes on


def test_two_formulas_of_a_page_share_no_id(setter: formulas.Typesetter) -> None:
    ids = [re.findall(r'id="([^"]+)"', setter.typeset("x + y", display=True)) for _ in range(2)]
    assert ids[0]
    assert not set(ids[0]) & set(ids[1])


def test_the_meaning_is_for_screen_readers_alone(setter: formulas.Typesetter) -> None:
    assert re.search(r"mjx-assistive-mml \{[^}]*clip:", setter.styles())


def test_the_licence_of_mathjax_is_with_it() -> None:
    assert (formulas.MATHJAX / "LICENSE").exists()
    assert (formulas.MATHJAX / "tex-svg.js").stat().st_size > 1_000_000


def test_icons_that_no_page_shows_are_left_out() -> None:
    whole = (THEME / "scripts" / "fontawesome.js").read_text(encoding="utf-8")
    few = icons.subset(whole, icons.used(['<i class="fa-solid fa-bars"></i>', "svg.fa-angle-left"]))
    assert len(few) < 200_000 < 1_000_000 < len(whole)
    assert '"angle-left":[' in few
    assert "bars:[" in few
    assert '"angle-right":[' not in few
    quickjs.Context().eval(f"(() => {{ return function () {{ {few}\n}} }})()")  # still a script
