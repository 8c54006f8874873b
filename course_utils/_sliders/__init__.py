"""Figures under sliders: `canvas` draws their states, `controls` shows them and the still beside them."""

from course_utils._sliders.canvas import Canvas
from course_utils._sliders.controls import CLASS, described, image, show

__all__ = ["CLASS", "Canvas", "described", "image", "show"]
