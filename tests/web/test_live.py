"""The figures that move on the site: what their scripts compute is what the Python figures draw.

Each script is called for every state that the lesson's sliders have. Its lines and titles are held against
those of the figure that the lesson's own function draws for it, and so are some of the states between.
"""

from __future__ import annotations

import importlib
import itertools
import json
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from course_utils.figures import adam, learning_rate_decay, momentum
from course_utils.theory import noisy_quadratic
from course_utils.tools import lessons
from course_utils.tools.lesson import Lesson
from course_utils.tools.site import lesson_page
from course_utils.tools.site.explored import cells_with_sliders as explored_cells
from tests.figures.reading import lines, texts
from tests.web.conftest import PROJECT, Open, audit

STATIC = PROJECT / "docs" / "_static"
SCRIPTS = sorted((STATIC / "live").glob("*.js"))
NAMES = [path.stem for path in SCRIPTS]
DRAWN = "09_drawn_schedule"  # has no sliders of the lesson: one draws in it
SLID = [name for name in NAMES if name != DRAWN]
BETWEEN = 12  # states tried that the lesson's sliders do not have
State = dict[str, float]


@dataclass(frozen=True)
class Explored:
    """An `explore` of a lesson: the function, the values of its sliders, where they start."""

    draw: Callable[..., Figure]
    sliders: Mapping[str, Sequence[float]]
    start: Mapping[str, float]

    def states(self) -> list[State]:
        return [
            dict(zip(self.sliders, state, strict=True)) for state in itertools.product(*self.sliders.values())
        ]


def _lesson(name: str) -> list[Path]:
    return list((PROJECT / "notebooks").glob(f"{name[:2]}_*.ipynb"))


def explored(name: str) -> Explored:
    """What the cell of the figure `name`, "05_rate_map_and_path", hands to `plotting.explore`."""
    function = name.split("_", 1)[1]
    [path] = _lesson(name)
    notebook = Lesson(path).notebook
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    [source] = [text for text in cells if re.search(rf"explore\(\s*figures\.{function}\b", text)]
    [module] = re.findall(r"from course_utils\.figures import (\w+) as figures", "\n".join(cells))
    found: list[Explored] = []

    class Instead:
        @staticmethod
        def explore(draw: Any, sliders: Any, *, start: Any, alt: str) -> None:
            found.append(Explored(draw, sliders, start))

    exec(source, {"figures": importlib.import_module(f"course_utils.figures.{module}"), "plotting": Instead})
    return found[0]


@pytest.fixture(scope="module")
def page(browser: Any) -> Iterator[Any]:
    """An empty page with all scripts, as a lesson's page has those of its figures."""
    opened = browser.new_page()
    opened.set_content("<!doctype html><html lang='en'><title>x</title><main></main></html>")
    for script in (STATIC / "live.js", *SCRIPTS):
        opened.add_script_tag(path=script)
    yield opened
    opened.close()


SCENES = """([name, states]) => states.map((state) => live.modules[name].scene(state).map((panel) => ({
    title: panel.title, alt: panel.alt, texts: panel.marks.filter((m) => m.text).map((m) => m.text),
    lines: panel.marks.filter((m) => m.label).map((m) => [
        m.label, m.line || m.points || m.bars || m.dot.map((v) => [v])]) })))"""


def scenes(page: Any, name: str, states: Sequence[Any]) -> Any:
    return page.evaluate(SCENES, [name, states])


def differs(scene: Any, figure: Figure) -> list[str]:
    """What a scene and a figure do not have in common: titles, texts, and the lines that the scene names."""
    found = []
    titled = [axes for axes in figure.axes if axes.get_title(loc="left")]
    for panel, axes in zip(scene, titled, strict=True):
        title = " ".join(axes.get_title(loc="left").split())
        if panel["title"] != title:
            found.append(f"{panel['title']!r} for {title!r}")
        there = {line for text in texts(axes) for line in text.split("\n")}
        found += [f"{text!r} of {title!r} not in {there}" for text in panel["texts"] if text not in there]
        met: dict[str, int] = {}
        for label, points in panel["lines"]:
            want = (bars(axes) if label == "_bars" else lines(axes, label))[met.get(label, 0)]
            met[label] = met.get(label, 0) + 1
            got = np.array(points, dtype=float).T
            if got.shape != want.shape or not np.allclose(got, want, rtol=1e-9, atol=1e-9, equal_nan=True):
                gap = (
                    np.nanmax(abs(got - want)) if got.shape == want.shape else f"{got.shape} for {want.shape}"
                )
                found.append(f"{label} of {title!r}: {gap}")
    return found


def bars(axes: Any) -> list[Any]:
    """The middles and heights of the bars of an axis, which Matplotlib draws as steps, as one line."""
    (steps,) = axes.patches
    heights, edges, _ = steps.get_data()
    return [np.column_stack([(edges[1:] + edges[:-1]) / 2, heights])]


def test_every_script_belongs_to_a_figure() -> None:
    belong = {
        lesson_page.live_name(lesson, cell)
        for lesson in map(Lesson, lessons.find(PROJECT / "notebooks"))
        for cell in lesson.notebook.cells
        if cell.cell_type == "code"
    }
    assert set(NAMES) <= belong
    assert len(NAMES) >= 2


@pytest.mark.parametrize("name", SLID)
def test_sliders_have_all_values_of_the_lesson(page: Any, name: str) -> None:
    lesson = explored(name)
    sliders = page.evaluate("(name) => live.modules[name].sliders", name)
    assert list(sliders) == list(lesson.sliders)
    for key, values in lesson.sliders.items():
        assert set(values) <= set(sliders[key]["values"]), key
        assert sliders[key]["values"] == sorted(sliders[key]["values"])
        assert sliders[key]["start"] == lesson.start[key]


@pytest.mark.parametrize("name", SLID)
def test_every_state_is_what_the_lesson_draws(page: Any, name: str) -> None:
    lesson = explored(name)
    sliders = page.evaluate("(name) => live.modules[name].sliders", name)
    draws = random.Random(0)
    between = [{key: draws.choice(one["values"]) for key, one in sliders.items()} for _ in range(BETWEEN)]
    states = [*lesson.states(), *between]
    wrong = []
    for state, scene in zip(states, scenes(page, name, states), strict=True):
        wrong += [f"{state}: {one}" for one in differs(scene, lesson.draw(**state))]
        assert any(panel["lines"] for panel in scene)
        assert all(len(panel["alt"]) >= 40 and panel["title"] in str(scene) for panel in scene), state
    assert wrong == []


@pytest.mark.parametrize("name", SLID)
def test_alt_texts_tell_states_apart(page: Any, name: str) -> None:
    states = explored(name).states()
    ends = [states[0], states[-1]]
    first, last = ([panel["alt"] for panel in scene] for scene in scenes(page, name, ends))
    assert first != last


def test_the_map_of_momentum(page: Any) -> None:
    points = [(float(lr), float(beta)) for beta in momentum.BETAS for lr in momentum.RATES]
    got = page.evaluate(
        "(all) => all.map(([lr, beta]) => live.modules['05_rate_map_and_path'].factor(lr, beta))", points
    )
    np.testing.assert_allclose(np.reshape(got, (100, 100)), momentum.rate_map().numpy(), rtol=1e-9)


def test_the_map_of_adam(page: Any) -> None:
    beta2 = 1 - 1 / adam.MEMORIES
    for beta1 in (0.0, 0.5, 0.9):
        points = [(2 + x, beta1, float(b)) for b in beta2 for x in adam.MARGINS.tolist()]
        call = "(all) => all.map((one) => live.modules['07_map_and_path'].drift(...one))"
        got = np.reshape(page.evaluate(call, points), (60, 60))
        np.testing.assert_allclose(got, adam.drift_map(beta1).numpy(), rtol=1e-9, atol=1e-12)


def test_every_drawn_schedule_has_its_loss(page: Any) -> None:
    """All 28,561 schedules of four rates that the lesson's sliders have: the loss after each quarter."""
    lesson = explored(DRAWN)
    states = np.array(list(itertools.product(*lesson.sliders.values())))  # (28561, 4)
    rates = torch.from_numpy(states.repeat(100, axis=1).T.copy())
    want = noisy_quadratic.loss_path(rates, *learning_rate_decay.valley())[[0, 100, 200, 300, 400]]
    got = page.evaluate(
        """([name, states]) => states.map((rates) => {
            const path = live.modules[name].lossPath(rates.flatMap((rate) => Array(100).fill(rate)));
            return [0, 100, 200, 300, 400].map((t) => path[t]); })""",
        [DRAWN, states.tolist()],
    )
    np.testing.assert_allclose(np.array(got).T, want.numpy(), rtol=1e-9)


def test_a_drawn_schedule_is_what_the_lesson_draws(page: Any) -> None:
    lesson = explored(DRAWN)
    draws = random.Random(0)
    states = [dict(lesson.start)]
    states += [{key: draws.choice(values) for key, values in lesson.sliders.items()} for _ in range(60)]
    drawn = scenes(page, DRAWN, [{"parts": list(state.values())} for state in states])
    wrong = []
    for state, scene in zip(states, drawn, strict=True):
        wrong += [f"{state}: {one}" for one in differs(scene, lesson.draw(**state))]
    assert wrong == []
    assert all(len(panel["alt"]) >= 40 for scene in drawn for panel in scene)


def test_what_a_drawn_schedule_is_measured_by(page: Any) -> None:
    levels = page.evaluate("(name) => live.modules[name].levels", DRAWN)
    assert levels["constant"] == pytest.approx(learning_rate_decay.best_end("constant")[0], rel=1e-9)
    assert levels["exponential"] == pytest.approx(learning_rate_decay.best_end("exponential")[0], rel=1e-9)
    assert levels["best"] == pytest.approx(learning_rate_decay.best_schedule()[1], rel=1e-4)  # of a search


@pytest.mark.parametrize(
    ("x", "digits"), [(0.1 + 0.2, 6), (1e-5, 6), (1234567.0, 6), (81.0, 6), (0.000123456, 3), (5e5, 3)]
)
def test_numbers_are_printed_as_python_does(page: Any, x: float, digits: int) -> None:
    assert page.evaluate("([x, digits]) => live.g(x, digits)", [x, digits]) == f"{x:.{digits}g}"


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("beta * v[0] + g[0]", "beta * v[0] + (1 - beta) * g[0]"),
        ("STEPS = 60", "STEPS = 61"),
        ("`η = ", "`lr = "),
    ],
)
def test_a_mistake_in_a_script_is_seen(browser: Any, right: str, wrong: str) -> None:
    name = "05_rate_map_and_path"
    page = browser.new_page()
    source = (STATIC / "live" / f"{name}.js").read_text(encoding="utf-8")
    assert right in source
    page.set_content("<!doctype html><main></main>")
    page.add_script_tag(path=STATIC / "live.js")
    page.add_script_tag(content=source.replace(right, wrong))
    lesson = explored(name)
    [scene] = scenes(page, name, [lesson.start])
    assert differs(scene, lesson.draw(**lesson.start))
    page.close()


PICTURED = """<!doctype html><html lang="en"><title>x</title><main>
<div class="course-live" data-live="42_free"><p>The still.</p></div></main>
<script src="live.js"></script><script src="states/states.js"></script></html>"""


def test_a_figure_of_pictures_shows_the_state_of_its_sliders(browser: Any, tmp_path: Path) -> None:
    sliders = {
        "rate": {"name": "rate", "values": [1, 2, 3], "start": 2},
        "beta": {"name": "beta", "values": [0, 0.5], "start": 0.5},
    }
    alts = [f"At rate = {rate}, beta = {beta}." for rate in (1, 2, 3) for beta in (0, 0.5)]
    module = {"sliders": sliders, "pictures": {"size": [8, 4], "alts": alts}}
    states = tmp_path / "states"
    states.mkdir()
    for k in range(6):
        Image.new("RGB", (8, 4), (40 * k, 0, 0)).save(states / f"{k}.webp", lossless=True)
    call = f'live.add("42_free", live.pictured({json.dumps(module)}));'
    (states / "states.js").write_text(call, encoding="utf-8")
    (tmp_path / "live.js").write_text((STATIC / "live.js").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "index.html").write_text(PICTURED, encoding="utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "index.html").as_uri())
    picture = page.locator(".live-panels img")
    for key, slider, state in (
        ("", "", 3),
        ("ArrowRight", "rate", 5),
        ("Home", "beta", 4),
        ("Home", "rate", 0),
    ):
        if key:
            page.get_by_label(slider).press(key)
        page.wait_for_function(
            "(alt) => document.querySelector('.live-panels img').alt === alt", arg=alts[state]
        )
        assert picture.get_attribute("src").endswith(f"states/{state}.webp")
        page.wait_for_function("() => document.querySelector('.live-panels img').naturalWidth === 8")
    page.wait_for_function(
        "(alt) => document.querySelector('.live-said').textContent.includes(alt)", arg=alts[0]
    )
    page.get_by_role("button", name="Reset").click()
    page.wait_for_function("(alt) => document.querySelector('.live-panels img').alt === alt", arg=alts[3])
    page.close()


# ---- on the built page


@pytest.mark.parametrize("path", lessons.find(PROJECT / "notebooks"), ids=lambda path: path.stem[:2])
def test_every_figure_with_sliders_moves(opened: Open, path: Path) -> None:
    """Those that no script computes need `make explored` before `make site`, as `make test-web` has it."""
    cells = explored_cells(path)
    page = opened(f"lessons/{path.stem}.html")
    assert page.locator(".is-live").count() == len(cells)
    for figure in page.locator(".is-live").all():
        slider = figure.locator("input").first
        slider.scroll_into_view_if_needed()
        before = figure.locator(".live-panels").inner_html()
        slider.press("Home")
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        first = figure.locator(".live-panels").inner_html()
        slider.press("End")
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert len({before, first, figure.locator(".live-panels").inner_html()}) >= 2
        for picture in figure.locator("img:visible").all():
            page.wait_for_function("(one) => one.naturalWidth > 100", arg=picture.element_handle())
            assert picture.bounding_box()["width"] <= 1280
    page.close()


MAP = "05_rate_map_and_path"
PAGES = sorted({f"lessons/{path.stem}.html" for name in NAMES for path in _lesson(name)})


@pytest.fixture
def figure(opened: Open) -> Any:
    """The figure of lesson 05, on its page."""
    return opened("lessons/05_momentum.html").locator(f"[data-live='{MAP}'].is-live")


def shown(figure: Any) -> tuple[list[str], list[str], str]:
    """What the sliders say, what screen readers hear of them, and the title of the path."""
    sliders = figure.locator("input")
    heard = [sliders.nth(k).get_attribute("aria-valuetext") for k in range(sliders.count())]
    return figure.locator("output").all_inner_texts(), heard, figure.locator(".live-title").last.inner_text()


def test_it_takes_the_still_s_place(figure: Any) -> None:
    assert not figure.locator(".course-figure").is_visible()
    assert figure.locator("svg").count() == 2
    assert shown(figure) == (["0.06", "0.6"], ["0.06", "0.6"], "η = 0.06, β = 0.6")


def test_without_scripts_and_on_paper_the_still_stands(opened: Open) -> None:
    plain = opened("lessons/05_momentum.html", java_script_enabled=False).locator(f"[data-live='{MAP}']")
    assert plain.locator(".course-figure img").is_visible()
    page = opened("lessons/05_momentum.html")
    page.emulate_media(media="print")
    printed = page.locator(f"[data-live='{MAP}']")
    assert printed.locator(".course-figure img").is_visible()
    assert not printed.locator(".live-figure").is_visible()


def test_arrow_keys_move_it(figure: Any) -> None:
    slider = figure.get_by_label("step size η")
    slider.focus()
    before = figure.locator("svg").last.get_attribute("aria-label")
    slider.press("ArrowRight")
    figure.page.wait_for_function(
        "() => document.querySelectorAll('.live-title')[1].textContent.includes('0.061')"
    )
    assert shown(figure) == (["0.061", "0.6"], ["0.061", "0.6"], "η = 0.061, β = 0.6")
    assert figure.locator("svg").last.get_attribute("aria-label") != before
    figure.page.wait_for_function("() => document.querySelector('.live-said').textContent.includes('0.061')")


def test_the_point_is_dragged_and_all_follows_before_it_is_let_go(figure: Any) -> None:
    figure.scroll_into_view_if_needed()
    box = figure.locator("svg").first.bounding_box()
    page = figure.page
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.4)
    page.mouse.down()
    seen = []
    for share in (0.42, 0.46, 0.5):
        page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] * 0.4)
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        seen.append(shown(figure)[2])
    assert len(set(seen)) == 3
    page.mouse.up()
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.4)
    assert shown(figure)[2] == seen[-1]
    figure.get_by_role("button", name="Reset").click()
    page.wait_for_function("() => document.querySelectorAll('.live-title')[1].textContent.includes('0.06,')")


def test_the_home_page_s_picture_moves(opened: Open) -> None:
    page = opened("index.html")
    figure = page.locator(f"[data-live='{MAP}'].is-live")
    assert not figure.locator("img").is_visible()
    figure.get_by_label("momentum β").press("End")
    page.wait_for_function("() => document.querySelectorAll('.live-title')[1].textContent.includes('0.99')")


def test_a_schedule_is_drawn_with_the_mouse_and_with_arrow_keys(opened: Open) -> None:
    page = opened("lessons/09_learning_rate_decay.html")
    figure = page.locator(f"[data-live='{DRAWN}'].is-live")
    figure.scroll_into_view_if_needed()
    parts = f"() => document.querySelector(\"[data-live='{DRAWN}']\").figure.values.parts"
    assert page.evaluate(parts) == [0.5] * 10 + [0.1] * 10
    part = figure.get_by_label("part of the run")
    part.focus()
    for key in ("ArrowRight", "ArrowUp", "ArrowUp", "ArrowRight", "ArrowDown"):
        part.press(key)
    drawn = page.evaluate(parts)
    assert drawn[1] > 0.5 > drawn[2]
    assert drawn[0] == 0.5
    assert drawn[3:] == [0.5] * 7 + [0.1] * 10
    heard = f"part 3 of 20, rate {drawn[2]:g}"
    page.wait_for_function(
        "(text) => document.querySelector('.is-live input').ariaValueText === text", arg=heard
    )
    frame = figure.locator("svg").first.bounding_box()
    height = frame["y"] + frame["height"] * 0.4
    page.mouse.move(frame["x"] + 55, height)
    page.mouse.down()
    page.mouse.move(frame["x"] + frame["width"] - 15, height)  # in one go: no part is left out
    page.mouse.up()
    assert len(set(page.evaluate(parts))) == 1
    figure.get_by_role("button", name="Exponential").click()
    ends = page.evaluate(parts)
    assert ends == sorted(ends, reverse=True)
    assert ends[0] > 20 * ends[-1]
    figure.get_by_role("button", name="Reset").click()
    assert page.evaluate(parts) == [0.5] * 10 + [0.1] * 10


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_accessible_and_within_the_screen(opened: Open, axe: str, name: str, width: int, scheme: str) -> None:
    page = opened(name, width=width, scheme=scheme)
    page.wait_for_selector(".is-live svg")
    assert audit(page, axe, ".course-live") == []
    for panel in page.locator(".live-panel").all():
        box = panel.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    boxes = [one.bounding_box() for one in page.locator(".course-live").first.locator(".live-panel").all()]
    bottoms = {round(box["y"] + box["height"]) for box in boxes}
    assert len(bottoms) == (len(boxes) if width == 390 else 1)  # under one another, or side by side
    page.close()
