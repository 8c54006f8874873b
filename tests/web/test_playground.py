"""The playground: its surfaces, rules, schedules and runs are the package's, and its page keeps its state."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from course_utils import problems, schedules
from course_utils.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    AdamW,
    Lion,
    RMSprop,
    ScheduleFreeAdamW,
    ScheduleFreeSGD,
)
from tests.web.conftest import PROJECT, Open, audit

STATIC = PROJECT / "docs" / "_static"
SURFACES = {
    "quadratic": problems.quadratic(),
    "ravine": problems.ravine(),
    "turned": problems.ravine(angle=math.pi / 4),
    "rosenbrock": problems.rosenbrock(),
    "beale": problems.beale(),
    "himmelblau": problems.himmelblau(),
    "saddle": problems.saddle(),
    "monkey": problems.monkey_saddle(),
    "plateau": problems.plateau(),
    "rastrigin": problems.rastrigin(),
    "styblinski": problems.styblinski_tang(),
}
Settings = dict[str, float]
RULES: dict[str, Callable[[Any, Settings], Any]] = {
    "sgd": lambda p, h: SGD(p, h["lr"], momentum=h["beta1"], weight_decay=h["decay"]),
    "nesterov": lambda p, h: SGD(
        p, h["lr"], momentum=h["beta1"], weight_decay=h["decay"], nesterov=h["beta1"] > 0
    ),
    "adagrad": lambda p, h: Adagrad(p, h["lr"], eps=h["eps"], weight_decay=h["decay"]),
    "rmsprop": lambda p, h: RMSprop(p, h["lr"], alpha=h["beta2"], eps=h["eps"], weight_decay=h["decay"]),
    "centered": lambda p, h: RMSprop(
        p, h["lr"], alpha=h["beta2"], eps=h["eps"], weight_decay=h["decay"], centered=True
    ),
    "adadelta": lambda p, h: Adadelta(p, h["lr"], rho=h["beta2"], eps=h["eps"], weight_decay=h["decay"]),
    "adam": lambda p, h: Adam(p, h["lr"], (h["beta1"], h["beta2"]), h["eps"], h["decay"]),
    "amsgrad": lambda p, h: Adam(p, h["lr"], (h["beta1"], h["beta2"]), h["eps"], h["decay"], amsgrad=True),
    "adamw": lambda p, h: AdamW(p, h["lr"], (h["beta1"], h["beta2"]), h["eps"], h["decay"]),
    "lion": lambda p, h: Lion(p, h["lr"], (h["beta1"], h["beta2"]), weight_decay=h["decay"]),
    "freesgd": lambda p, h: ScheduleFreeSGD(p, h["lr"], momentum=h["beta1"], weight_decay=h["decay"]),
    "freeadamw": lambda p, h: ScheduleFreeAdamW(
        p, h["lr"], (h["beta1"], h["beta2"]), eps=h["eps"], weight_decay=h["decay"]
    ),
}


def warm(total: int) -> schedules.Schedule:
    return schedules.linear_warmup(total // 10, schedules.cosine_decay(total - total // 10))


SCHEDULES: dict[str, Callable[[int], schedules.Schedule]] = {
    "constant": lambda total: schedules.constant(),
    "linear": schedules.polynomial_decay,
    "cosine": schedules.cosine_decay,
    "exponential": lambda total: schedules.exponential_decay(0.01 ** (1 / total)),
    "warm": warm,
    "stable": lambda total: schedules.warmup_stable_decay(total, warmup=total // 10, decay=2 * (total // 10)),
}
SETTINGS: list[Settings] = [
    {"lr": 0.1, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "decay": 0.0},
    {"lr": 0.03, "beta1": 0.5, "beta2": 0.999, "eps": 1e-3, "decay": 0.1},
    {"lr": 1.0, "beta1": 0.0, "beta2": 0.5, "eps": 0.1, "decay": 0.01},
]
RUN = """([rule, grads, start, settings, schedule]) =>
    playground.run(rule, (x, y, t) => grads[t], start, grads.length, settings, schedule)"""


def blank(browser: Any, source: str) -> Any:
    page = browser.new_page()
    page.set_content("<!doctype html><html lang='en'><title>x</title><main></main></html>")
    page.add_script_tag(path=STATIC / "live.js")
    page.add_script_tag(content=source)
    return page


@pytest.fixture(scope="module")
def source() -> str:
    return (STATIC / "playground.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(browser: Any, source: str) -> Iterator[Any]:
    opened = blank(browser, source)
    yield opened
    opened.close()


def walked(rule: str, grads: Any, settings: Settings, schedule: str = "constant") -> Any:
    """The points that the package's optimizer comes to, given these gradients in turn: (steps + 1, 2)."""
    p = torch.tensor([0.7, -1.3], dtype=torch.float64, requires_grad=True)
    optimizer, points = RULES[rule]([p], settings), [p.detach().clone()]
    at = SCHEDULES[schedule](len(grads))
    for t, grad in enumerate(grads):
        schedules.set_lr(optimizer, at, t)
        p.grad = torch.as_tensor(grad, dtype=torch.float64).clone()
        optimizer.step()
        points.append(optimizer.state[p].get("x", p).detach().clone())
    return torch.stack(points).numpy()


def gradients(steps: int) -> Any:
    """Gradients of several sizes, zeros among them."""
    grads = np.random.default_rng(0).normal(size=(steps, 2)) * np.geomspace(5, 0.01, steps)[:, None]
    grads[7] = 0
    return grads


def differs(page: Any, rule: str, settings: Settings, schedule: str = "constant") -> bool:
    grads = gradients(60)
    got = page.evaluate(RUN, [rule, grads.tolist(), [0.7, -1.3], settings, schedule])
    return not np.allclose(np.array(got).T, walked(rule, grads, settings, schedule), rtol=1e-9, atol=1e-10)


def test_all_are_there(page: Any) -> None:
    names = (
        "() => [playground.SURFACES, playground.RULES, playground.SCHEDULES].map((one) => Object.keys(one))"
    )
    assert page.evaluate(names) == [list(SURFACES), list(RULES), list(SCHEDULES)]


@pytest.mark.parametrize("name", SURFACES)
def test_surfaces(page: Any, name: str) -> None:
    problem = SURFACES[name]
    draws = torch.rand(200, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    low, high = torch.tensor(problem.bounds, dtype=torch.float64).T
    points = low + (high - low) * draws
    call = """([name, all]) => { const { f, grad } = playground.SURFACES[name];
        return all.map(([x, y]) => [f(x, y), ...grad(x, y)]); }"""
    got = np.array(page.evaluate(call, [name, points.tolist()]))
    want = torch.cat([problem(points)[:, None], problem.grad(points)], 1)
    np.testing.assert_allclose(got, want.numpy(), rtol=1e-10, atol=1e-10)
    held = page.evaluate(
        "(name) => { const s = playground.SURFACES[name]; return [s.x, s.y, s.start, s.least]; }", name
    )
    assert held[:2] == [list(pair) for pair in problem.bounds]
    np.testing.assert_allclose(held[2], problem.start.numpy(), rtol=1e-12)
    if len(problem.minima):
        assert held[3] == pytest.approx(float(problem(problem.minima[0])), abs=1e-11)
    else:
        assert held[3] is None


@pytest.mark.parametrize("settings", SETTINGS, ids=["usual", "other", "ends"])
@pytest.mark.parametrize("rule", RULES)
def test_rules_at_every_step(page: Any, rule: str, settings: Settings) -> None:
    assert not differs(page, rule, settings)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("rule", ["adam", "freeadamw"])
def test_schedules_at_every_step(page: Any, rule: str, schedule: str) -> None:
    assert not differs(page, rule, SETTINGS[1], schedule)


def test_a_run_takes_its_gradients_where_its_weights_are(page: Any) -> None:
    """On a surface, with noise: the noise is one draw for both optimizers, standard normal."""
    steps, start = 100, [-2.0, 1.5]
    drawn = np.array(page.evaluate("() => playground.normals(40000, 3)"))
    assert abs(drawn.mean()) < 0.02
    assert abs(drawn.std() - 1) < 0.02
    assert abs(np.mean(drawn[1:] * drawn[:-1])) < 0.02
    assert abs(np.mean(drawn**4) - 3) < 0.15
    for rule, make in RULES.items():
        call = """([rule, start, steps, settings]) => {
            const s = playground.SURFACES.turned, e = playground.normals(2 * steps, 3);
            const grad = (x, y, t) => s.grad(x, y).map((g, k) => g + 0.3 * e[2 * t + k]);
            return playground.run(rule, grad, start, steps, settings); }"""
        settings = {**SETTINGS[0], "lr": 0.005}
        p = torch.tensor(start, dtype=torch.float64, requires_grad=True)
        optimizer = make([p], settings)
        for t in range(steps):
            noise = torch.from_numpy(drawn[2 * t : 2 * t + 2])
            p.grad = SURFACES["turned"].grad(p.detach()) + 0.3 * noise
            optimizer.step()
        end = optimizer.state[p].get("x", p).detach().numpy()
        got = np.array(page.evaluate(call, [rule, start, steps, settings]))
        assert got.shape == (2, steps + 1)
        np.testing.assert_allclose(got[:, -1], end, rtol=1e-7, atol=1e-9, err_msg=rule)


def test_what_the_page_says_of_a_turn_and_of_decay(page: Any) -> None:
    """Momentum's path turns with its ravine, Adam's does not; AdamW's end moves with the rate, Adam's not."""
    ends = """([rule, surface, steps, settings]) => { const s = playground.SURFACES[surface];
        return playground.run(rule, s.grad, s.start, steps, settings); }"""
    turn = np.array([[1, -1], [1, 1]]) / math.sqrt(2)
    apart = {}
    for rule, lr in (("sgd", 0.003), ("adam", 0.08)):
        settings = {"lr": lr, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "decay": 0}
        straight, turned = (
            np.array(page.evaluate(ends, [rule, name, 100, settings])) for name in ("ravine", "turned")
        )
        apart[rule] = abs(turn @ straight - turned).max()
    assert apart["sgd"] < 1e-9
    assert apart["adam"] > 0.1
    moved = {}
    for rule in ("adam", "adamw"):
        settings = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "decay": 0.1}
        last = [
            np.array(page.evaluate(ends, [rule, "beale", 2000, {**settings, "lr": lr}]))[:, -1]
            for lr in (0.0446, 0.0891, 0.178)
        ]
        moved[rule] = max(abs(last[0] - last[1]).max(), abs(last[2] - last[1]).max())
    assert moved["adam"] < 1e-3
    assert moved["adamw"] > 0.02


@pytest.mark.parametrize(
    ("right", "wrong", "rule"),
    [
        ("beta1 * s.m + g;", "beta1 * s.m + (1 - beta1) * g;", "sgd"),
        ("nesterov ? g + beta1 * s.m", "nesterov ? g + s.m", "nesterov"),
        ("(Math.sqrt(s.v) + eps);\n      }),", "Math.sqrt(s.v + eps);\n      }),", "adagrad"),
        ("s.v - s.u * s.u", "s.v - s.u", "centered"),
        ("(lr / (1 - beta1 ** t)) * ", "lr * ", "adam"),
        ("amsgrad ? s.most", "amsgrad ? s.v", "amsgrad"),
        ("step(p * (1 - h.lr * h.decay)", "step(p * (1 - h.decay)", "adamw"),
        ("Math.sign(beta1 * (s.m || 0)", "Math.sign(beta2 * (s.m || 0)", "lion"),
        ("s.sum += lr * lr", "s.sum += lr", "freesgd"),
        ("h.lr * Math.sqrt(1 - h.beta2 ** t)", "h.lr", "freeadamw"),
    ],
)
def test_a_mistake_in_a_rule_is_seen(browser: Any, source: str, right: str, wrong: str, rule: str) -> None:
    assert right in source
    page = blank(browser, source.replace(right, wrong))
    assert any(differs(page, rule, settings) for settings in SETTINGS)
    page.close()


# ---- on the built page

STATE = "() => document.querySelector('[data-live]').figure.values"


@pytest.fixture
def built(opened: Open) -> Any:
    page = opened("playground.html")
    page.wait_for_selector(".is-live svg")
    return page


def titles(page: Any) -> list[str]:
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.locator(".live-title").all_inner_texts()


def test_an_optimizer_is_chosen_and_shows_its_own_settings(built: Any) -> None:
    first = built.locator("fieldset").first
    assert not first.get_by_label("ε").is_visible()
    first.get_by_label("optimizer").select_option("rmsprop")
    built.wait_for_function(
        "() => document.querySelectorAll('.live-title')[1].textContent.includes('RMSprop')"
    )
    assert first.get_by_label("ε").is_visible()
    assert not first.get_by_label("β, or β₁").is_visible()
    before = titles(built)[1]
    first.get_by_label("rate η").press("ArrowRight")
    assert titles(built)[1] != before


def test_the_start_is_dragged(built: Any) -> None:
    built.locator(".live-panel svg").first.scroll_into_view_if_needed()
    box = built.locator(".live-panel svg").first.bounding_box()
    before = titles(built)[1]
    built.mouse.click(box["x"] + 0.6 * box["width"], box["y"] + 0.3 * box["height"])
    assert titles(built)[1] != before


def test_every_link_of_the_page_sets_it_up(built: Any) -> None:
    links = built.locator("article a[href*='surface=']")
    assert links.count() >= 6
    seen = set()
    for k in range(links.count()):
        links.nth(k).click()
        seen.add(" ".join(titles(built)) + str(built.evaluate(STATE)))
        asked = dict(one.split("=") for one in links.nth(k).get_attribute("href").split("#")[1].split("&"))
        held = built.evaluate(STATE)
        for name, value in asked.items():
            assert str(held[name]) == value or float(held[name]) == float(value), name
    assert len(seen) == links.count()


def test_a_state_is_shared_by_its_address(built: Any, opened: Open) -> None:
    built.locator("fieldset").last.get_by_label("optimizer").select_option("lion")
    built.get_by_label("surface").select_option("himmelblau")
    built.get_by_role("button", name="Copy link").click()
    built.wait_for_function("() => location.hash.includes('himmelblau')")
    other = opened("playground.html" + built.evaluate("() => location.hash"))
    other.wait_for_selector(".is-live svg")
    assert other.evaluate(STATE) == built.evaluate(STATE)
    assert titles(other) == titles(built)
    odd = opened("playground.html#surface=nowhere&a_lr=much&steps=70&hack=1&x=1e999")
    odd.wait_for_selector(".is-live svg")
    assert odd.evaluate(STATE) == {
        **odd.evaluate("() => document.querySelector('[data-live]').figure.start"),
        "steps": 50,
    }
    for page in (other, odd):
        page.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_accessible_and_within_the_screen(opened: Open, axe: str, width: int, scheme: str) -> None:
    page = opened("playground.html", width=width, scheme=scheme)
    page.wait_for_selector(".is-live svg")
    assert audit(page, axe, "main") == []
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    page.close()
