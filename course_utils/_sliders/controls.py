"""The sliders beside their figure, and the still after them that needs no kernel."""

from __future__ import annotations

import base64
import functools
import html
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from course_utils._sliders.canvas import Canvas

CLASS = "course-sliders"
KEPT_STATES = 300  # of one figure, of 20 to 60 KB
# While sliders live, the still after them is not shown; where they do not, nothing hides it.
HIDE_STILL = f"<style>.jp-OutputArea-child:has(.{CLASS}) + .jp-OutputArea-child {{ display: none }}</style>"


def show(
    draw: Callable[..., Figure],
    sliders: Mapping[str, Sequence[float]],
    *,
    start: Mapping[str, float],
    alt: str,
    canvas: Canvas,
    titles: Callable[[Figure], list[str]],
    still: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    """Display the sliders, their figure, and a still that is seen where the sliders are not.

    Args:
        draw, sliders, start, alt: as for `plotting.explore`.
        titles: what a figure says in its titles: of a state that nobody described, its description.
        still: data and metadata of the figure at `start`.
    """
    import ipywidgets as widgets
    from IPython.display import display

    width = f"{max(map(len, sliders)) + 1}ch"
    controls = {
        name: widgets.SelectionSlider(
            options=[(f"{value:g}", value) for value in values],
            value=start[name],
            description=name,
            continuous_update=True,  # the page keeps only the newest value while a state is drawn
            style={"description_width": width},
        )
        for name, values in sliders.items()
    }

    @functools.lru_cache(KEPT_STATES)
    def page(*values: float) -> str:
        state = dict(zip(sliders, values, strict=True))
        picture, figure = canvas.webp(lambda: draw(**state))
        return image(picture, described(state, start, alt, titles(figure)), figure.bbox.size)

    picture = widgets.HTML()

    def redraw(change: object = None) -> None:
        values = [control.value for control in controls.values()]
        try:
            picture.value = HIDE_STILL + page(*values)
        except Exception as problem:  # a callback's error goes to a log that nobody reads
            fault = html.escape(f"{type(problem).__name__}: {problem}")
            picture.value = f"{HIDE_STILL}<p>This state cannot be drawn. {fault}</p>"

    redraw()
    for control in controls.values():
        control.observe(redraw, "value")
    box = widgets.VBox([*controls.values(), picture])
    box.add_class(CLASS)
    bundle = {
        **box._repr_mimebundle_(),
        "text/plain": f"Sliders: {', '.join(sliders)}. Run the cell to move them.",
    }
    data, metadata = still
    if _falls_back():
        display({**bundle, **data}, raw=True, metadata=metadata)
    else:
        display(bundle, raw=True)
        display(data, raw=True, metadata=metadata)


def described(state: Mapping[str, float], start: Mapping[str, float], alt: str, titles: Sequence[str]) -> str:
    """The alt text of a state: what the lesson says of the first one, values and titles of any other."""
    if dict(state) == dict(start):
        return alt
    told = ", ".join(f"{name} = {value:g}" for name, value in state.items())
    return f"At {told}: {'. '.join(titles)}."


def image(webp: bytes, alt: str, size: Sequence[float]) -> str:
    """An <img> that holds its place before it is decoded, so that the page does not jump."""
    width, height = (int(pixels) for pixels in size)
    source = base64.b64encode(webp).decode()
    return (
        f'<img src="data:image/webp;base64,{source}" alt="{html.escape(alt)}" width="{width}" '
        f'height="{height}" style="max-width: 100%; height: auto">'
    )


def _falls_back() -> bool:
    """Whether the page shows the still of one bundle where its sliders are lost; JupyterLab does not."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return "google.colab" in sys.modules or "__vsc_ipynb_file__" in getattr(shell, "user_ns", {})
