"""Formulas as SVG with MathML beside, set by MathJax as the site is built: pages need no script for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.util import logging

from course_utils._files import write_whole
from course_utils.tools.doctor import PROJECT

MATHJAX = PROJECT / "docs" / "_static" / "vendor" / "mathjax"
STYLES = "_static/formulas.css"
RENDERER = "course"  # for `html_math_renderer`
# What MathJax asks of a browser as it is loaded, and then its own way to convert without a page.
_BROWSER = """
globalThis.window = globalThis;
globalThis.navigator = {appVersion: "", userAgent: "", platform: "", appName: ""};
globalThis.location = {};
globalThis.document = {currentScript: {src: ""}, createElement: () => ({}), querySelector: () => null,
  getElementsByTagName: () => [], addEventListener() {}, head: {appendChild() {}}};
globalThis.addEventListener = () => {};
globalThis.MathJax = {startup: {ready() {}}};
"""
_CONVERT = """
const parts = MathJax._, adaptor = parts.adaptors.liteAdaptor.liteAdaptor();
parts.a11y["assistive-mml"].AssistiveMmlHandler(parts.handlers.html_ts.RegisterHTMLHandler(adaptor));
const page = parts.mathjax.mathjax.document("", {
  InputJax: new parts.input.tex_ts.TeX({packages: ["base", "ams"],
    formatError(jax, problem) { throw Error(problem.message); }}),
  OutputJax: new parts.output.svg_ts.SVG({fontCache: "local"}),
});
function typeset(tex, display) { return JSON.stringify(adaptor.outerHTML(page.convert(tex, {display}))); }
function styles() { return JSON.stringify(adaptor.textContent(page.outputJax.styleSheet(page))); }
"""


class FormulaError(ValueError):
    """A formula that MathJax cannot read."""


class Typesetter:
    """MathJax in a JavaScript engine."""

    def __init__(self) -> None:
        import quickjs

        self._js = quickjs.Context()
        self._problem = quickjs.JSException
        self._js.eval(_BROWSER)
        self._js.eval((MATHJAX / "tex-svg.js").read_text(encoding="utf-8"))
        while self._js.execute_pending_job():
            pass
        self._js.eval((MATHJAX / "liteDOM.js").read_text(encoding="utf-8"))
        self._js.eval(_CONVERT)

    def typeset(self, tex: str, *, display: bool) -> str:
        """A formula as HTML.

        Raises: FormulaError, with MathJax's own words, for TeX that it cannot read.
        """
        try:
            return str(json.loads(self._js.get("typeset")(tex, display)))
        except self._problem as problem:
            raise FormulaError(f"{str(problem).splitlines()[0]}: {tex}") from problem

    def styles(self) -> str:
        """What the pages need as CSS."""
        return str(json.loads(self._js.get("styles")()))


def lines(tex: str) -> str:
    """A displayed formula of several lines, which `\\\\` parts, as an environment of TeX."""
    return rf"\begin{{split}}{tex}\end{{split}}" if r"\\" in tex and r"\begin" not in tex else tex


def install(app: Any) -> None:
    """Give Sphinx a renderer of mathematics that sets each formula as the page is written."""
    setter = Typesetter()

    def shown(node: Any, tag: str, *, display: bool) -> str:
        try:
            page = setter.typeset(lines(node.astext()) if display else node.astext(), display=display)
        except FormulaError as problem:
            logging.getLogger(__name__).warning(str(problem), location=node)
            page = f"<code>{nodes.Text(node.astext())}</code>"
        ids = "".join(f'<span id="{id}"></span>' for id in node.get("ids", ()))
        return f'<{tag} class="math notranslate nohighlight">{ids}{page}</{tag}>'

    def inline(writer: Any, node: Any) -> None:
        writer.body.append(shown(node, "span", display=False))
        raise nodes.SkipNode

    def block(writer: Any, node: Any) -> None:
        writer.body.append(shown(node, "div", display=True))
        raise nodes.SkipNode

    def write_styles(app: Any) -> None:
        write_whole(Path(app.outdir) / STYLES, setter.styles())

    def leave_out(app: Any, exception: Exception | None) -> None:
        for path in (Path(app.outdir) / "_static" / "vendor" / "mathjax").glob("*.js"):
            path.unlink()  # the pages have no use for it

    app.add_html_math_renderer(RENDERER, inline_renderers=(inline, None), block_renderers=(block, None))
    app.connect("builder-inited", write_styles)
    app.connect("build-finished", leave_out)
    app.add_css_file(Path(STYLES).name)
