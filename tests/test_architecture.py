"""docs/architecture.md names files and folders that exist, and all that stands at the top of the package."""

from __future__ import annotations

import re
from pathlib import Path

PROJECT = Path(__file__).parents[1]
PAGE = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
TREE = PAGE.split("```text\n")[1].split("```")[0]


def test_every_file_it_names_exists() -> None:
    named = re.findall(r"`((?:course_utils|tests|docs|notebooks)/[\w/.]+)`", PAGE)
    assert len(named) > 30
    missing = [name for name in named if "NN_" not in name and not (PROJECT / name).exists()]
    assert missing == []


def test_the_tree_is_the_package() -> None:
    package = PROJECT / "course_utils"
    there = {path.name for path in package.glob("[a-z]*.py")}
    there |= {f"{path.parent.name}/" for path in package.glob("[a-z]*/__init__.py")}
    named = set(re.findall(r"\b[a-z]\w*(?:\.py|/)", TREE.split("tests/")[0]))
    inside = {"engine/", "running/", "grading/", "site/", "editions/", "template/", "course_utils/"}
    assert named - inside == there


def test_the_top_of_the_package_stays_small() -> None:
    assert len(list((PROJECT / "course_utils").glob("*.py"))) - 1 <= 17  # besides the map, __init__.py
