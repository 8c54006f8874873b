"""The methods of this course keep their colours."""

from __future__ import annotations

from course_utils import plotting


def test_a_method_keeps_its_colour() -> None:
    assert plotting.colour("momentum") == plotting.BLUE
    assert plotting.colour("adam") == plotting.VERMILION
    assert plotting.colour("adamw") == "#8C0000"
    aliases = {"gd", "plain", "dropout", "batch norm", "early stopping", "ema", "augmentation", "theory"}
    methods = plotting.COLOURS.keys() - aliases
    assert len(methods) == len({plotting.colour(method) for method in methods}) == 12
    assert all(colour.startswith("#") for colour in plotting.COLOURS.values()), "a name of no colour"
