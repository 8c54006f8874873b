"""JupyterLab as `lab` opens it, in a real browser: what a learner sees, hears, drags and gets back."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import nbformat
import pytest
import requests
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course_utils.tools.running import kernel

TOKEN = "chalk-and-sponge"
LIMIT = 120.0  # seconds for anything to start
ALT = "A line that rises from zero, steeper for a larger rate, over ten steps."
CODE = """
from course_utils import plotting

def line(rate):
    figure, axes = plotting.subplots()
    axes.plot([0, 10], [0, 10 * rate], label="_line")
    axes.set(ylim=(0, 10))
    plotting.finish(axes, title=f"It rises to {10 * rate:g}", x="step", y="height", names=False)
    return figure
"""
SHOW = f"plotting.show(line(0.4), alt={ALT!r})"
EXPLORE = f"""rates = [0.1, 0.2, 0.4, 0.6, 0.8, 1.0]
plotting.explore(line, {{"rate": rates}}, start={{"rate": 0.4}}, alt={ALT!r})"""
LESSON = "00_start.ipynb"


def request(address: str, method: str, path: str) -> requests.Response:
    return requests.request(method, address + path, headers={"Authorization": f"token {TOKEN}"}, timeout=10)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A course of one lesson, executed as the course stores it, opened by `lab`."""
    folder = tmp_path_factory.mktemp("lab")
    book = new_notebook(
        cells=[
            new_markdown_cell("# 00 · A line"),
            *(new_code_cell(source) for source in (CODE, SHOW, EXPLORE)),
        ]
    )
    book.metadata.kernelspec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    with kernel.variables(kernel.environment(folder, folder)):
        NotebookClient(book, timeout=120).execute()
    (folder / "notebooks").mkdir()
    nbformat.write(book, folder / "notebooks" / LESSON)
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        port = any_port.getsockname()[1]
    command = [sys.executable, "-m", "course_utils", "lab", "--no-browser", "--allow-root"]
    command += ["--notebooks", str(folder / "notebooks"), "--workspace", str(folder / "workspace")]
    env = {**os.environ, "JUPYTER_TOKEN": TOKEN, "JUPYTER_PORT": str(port), "HOME": str(folder)}
    with open(folder / "log", "wb") as log, subprocess.Popen(command, stdout=log, stderr=log, env=env) as lab:
        here = f"http://127.0.0.1:{port}"
        end = time.monotonic() + LIMIT
        while True:
            try:
                if request(here, "GET", "/api/status").ok:
                    break
            except requests.ConnectionError:
                pass
            assert lab.poll() is None and time.monotonic() < end, (folder / "log").read_text()  # noqa: PT018
            time.sleep(0.5)
        yield here
        request(here, "POST", "/api/shutdown")


@pytest.fixture(scope="module")
def page(address: str, browser: Any) -> Iterator[Any]:
    opened = browser.new_page(viewport={"width": 1280, "height": 800})
    opened.set_default_timeout(LIMIT * 1000)
    opened.goto(f"{address}/?token={TOKEN}")
    opened.wait_for_selector(f".jp-Notebook img[alt='{ALT}']")
    yield opened
    opened.close()


def test_the_first_lesson_is_open(page: Any) -> None:
    assert page.url.endswith(f"/lab/tree/{LESSON}")
    assert page.locator(".jp-Notebook h1").first.inner_text().startswith("00 · A line")


def test_stored_pictures_have_their_alt_texts(page: Any) -> None:
    images = page.locator(".jp-RenderedImage img")
    assert [images.nth(k).get_attribute("alt") for k in range(images.count())] == [ALT, ALT]


def test_code_that_only_shows_a_figure_is_folded(page: Any) -> None:
    hidden = page.locator(".jp-Cell .jp-InputPlaceholder")
    assert hidden.count() == 1  # the cell of `show`; that of `explore` also says which rates there are


def test_a_slider_moves_the_figure_while_it_is_dragged_and_says_its_value(page: Any) -> None:
    page.locator(".jp-CodeCell").first.click()
    page.keyboard.press("Escape")
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).first.click()
    handle = page.locator(".course-sliders .noUi-handle")
    handle.wait_for()
    picture = page.locator(".course-sliders img")
    assert (handle.get_attribute("aria-label"), handle.get_attribute("aria-valuetext")) == ("rate", "0.4")
    assert picture.get_attribute("alt") == ALT
    assert page.locator(".jp-RenderedImage img:visible").count() == 1, (
        "the still is not shown beside the sliders"
    )
    handle.scroll_into_view_if_needed()
    before = picture.get_attribute("src")
    box = handle.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] + box["height"] / 2, steps=4)
    page.wait_for_function("src => document.querySelector('.course-sliders img').src !== src", arg=before)
    assert handle.get_attribute("aria-valuetext") in ("0.6", "0.8"), "and the button is still down"
    page.mouse.up()
    page.wait_for_timeout(1000)
    value = handle.get_attribute("aria-valuetext")
    assert picture.get_attribute("alt") == f"At rate = {value}: It rises to {10 * float(value):g}."


def test_a_lesson_that_is_opened_again_shows_its_figure(page: Any, address: str) -> None:
    page.keyboard.press("Control+s")
    page.wait_for_timeout(2000)
    for session in request(address, "GET", "/api/sessions").json():
        assert request(address, "DELETE", f"/api/sessions/{session['id']}").ok
    page.goto(f"{address}/lab/tree/{LESSON}?reset")
    page.get_by_text("These sliders need the kernel").wait_for()
    assert page.get_by_text("Error displaying widget").count() == 0
    images = page.locator(".jp-RenderedImage img:visible")
    assert [images.nth(k).get_attribute("alt") for k in range(images.count())] == [ALT, ALT]
