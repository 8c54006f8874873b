"""Pages printed to PDF by Chromium, where there is one."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from course_utils._files import write_whole
from course_utils.tools import lessons
from course_utils.tools.editions import slides

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
LIMIT = 180  # seconds a page
_MATHS = (
    '<script>MathJax = {tex: {inlineMath: [["$", "$"], ["\\\\(", "\\\\)"]]}};</script>'
    '<script src="mathjax/tex-svg.js"></script>'
)


class PdfError(RuntimeError):
    """A PDF cannot be made: what is missing, or what the browser said."""


def browser() -> str:
    """Chromium or a browser made of it. Raises: PdfError where none is found."""
    command = next(filter(None, map(shutil.which, BROWSERS)), None)
    if command is None:
        raise PdfError(
            "need Chromium to print PDFs, found none of "
            f"{', '.join(BROWSERS)}; on Debian and Ubuntu: sudo apt install chromium"
        )
    return command


def write(command: str, page: Path, target: Path) -> None:
    """Print one page to `target`. Raises: PdfError where the browser does not."""
    with tempfile.TemporaryDirectory(prefix="course-", ignore_cleanup_errors=True) as scratch:
        printed = Path(scratch) / "page.pdf"
        options = [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            f"--user-data-dir={scratch}/profile",
            "--no-pdf-header-footer", "--virtual-time-budget=60000", f"--print-to-pdf={printed}",
        ]  # fmt: skip
        try:
            done = subprocess.run(
                [command, *options, page.resolve().as_uri()],
                capture_output=True, text=True, errors="replace", timeout=LIMIT,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise PdfError(f"{page.name} was not printed within {LIMIT} s") from None
        content = printed.read_bytes() if printed.is_file() else b""
    if not content.startswith(b"%PDF"):
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise PdfError(f"{page.name} was not printed: {last}")
    write_whole(target, content)


@contextlib.contextmanager
def lesson_page(path: Path) -> Iterator[Path]:
    """A stored lesson as a page to print: with its outputs, the mathematics by the course's own MathJax."""
    from nbconvert import HTMLExporter

    from course_utils.tools.editions import answers

    export = HTMLExporter(  # type: ignore[no-untyped-call]
        template_name="basic",
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
    )
    body, _ = export.from_notebook_node(lessons.read(path))
    with tempfile.TemporaryDirectory(prefix="course-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        shutil.copytree(slides.MATHJAX, folder / "mathjax")
        text = answers.document(path.stem, f"{_MATHS}\n{body}\n<style>img {{ max-width: 100% }}</style>")
        write_whole(folder / "page.html", text)
        yield folder / "page.html"
