"""What the browser tests need: the built site on a port, Chromium, axe-core. What is missing is an error."""

from __future__ import annotations

import functools
import http.server
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
SITE = PROJECT / "build" / "site"
AXE = "4.14.1"  # of the npm package axe-core, which audits a page for accessibility
AXE_FOLDER = PROJECT / "build" / "axe-core"
Open = Callable[..., Any]


def pages() -> list[str]:
    """Every page of the built site, as a path below it."""
    if not (SITE / "index.html").exists():
        raise pytest.UsageError("the site is not built: run `make site` first")
    found = sorted(str(path.relative_to(SITE)) for path in SITE.rglob("*.html"))
    return [name for name in found if not name.startswith("_static/")]


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """The built site on a port of this machine."""
    pages()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium as the system has it."""
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        raise RuntimeError("Chromium is not installed. On Debian and Ubuntu: sudo apt install chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core, fetched once through npm into build/."""
    script = AXE_FOLDER / "package" / "axe.min.js"
    if not script.exists():
        if shutil.which("npm") is None:
            raise RuntimeError(f"axe-core is neither in {AXE_FOLDER} nor to be had: npm is not installed")
        AXE_FOLDER.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["npm", "pack", "--silent", f"axe-core@{AXE}"],
            cwd=AXE_FOLDER,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        with tarfile.open(AXE_FOLDER / f"axe-core-{AXE}.tgz") as archive:
            archive.extract("package/axe.min.js", AXE_FOLDER, filter="data")
    return script.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def opened(browser: Any, address: str) -> Iterator[Open]:
    """Opens a page: `opened(name, width=390, scheme="dark")`."""
    contexts = []

    def open_page(name: str, *, width: int = 1280, scheme: str = "light", **options: Any) -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": 844}, color_scheme=scheme, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.goto(address + name)
        return page

    yield open_page
    for context in contexts:
        context.close()


def audit(page: Any, axe: str, part: str = "html") -> list[str]:
    """What axe finds in a part of a page that is serious or critical."""
    page.evaluate(axe)
    found = page.evaluate("(part) => axe.run(part, {resultTypes: ['violations']})", part)["violations"]
    return [
        f"{one['id']} ({one['impact']}): {one['nodes'][0]['html'][:160]} and {len(one['nodes']) - 1} more"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
