"""Records: written whole, the newest is read, provenance is complete."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from course_utils import recorded


def test_nothing_recorded_is_none(tmp_path: Path) -> None:
    assert recorded.newest("race", tmp_path) is None
    assert recorded.newest("race", tmp_path / "no folder") is None


def test_a_record_comes_back_with_its_provenance(tmp_path: Path) -> None:
    rows = [{"name": "Adam", "mean": 0.93}, {"name": "SGD", "mean": 0.92}]
    path = recorded.save("race", rows, settings={"seeds": 4}, folder=tmp_path)
    found = recorded.newest("race", tmp_path)
    assert found is not None
    assert found.rows == rows
    assert found.settings == {"seeds": 4}
    assert found.machine["torch"] == torch.__version__
    assert "gpu" not in found.machine
    assert found.date[:10] in found.provenance
    assert torch.__version__ in found.provenance
    assert list(tmp_path.iterdir()) == [path]


def test_the_newest_of_its_own_kind_is_read(tmp_path: Path) -> None:
    path = recorded.save("race", [{"n": 1}], settings={}, folder=tmp_path)
    content = json.loads(path.read_text())
    for stamp, n in (("20200101T000000", 0), ("20990101T000000", 2)):
        (tmp_path / f"race-{stamp}.json").write_text(json.dumps(content | {"rows": [{"n": n}]}))
    recorded.save("race_small", [{"n": 9}], settings={}, folder=tmp_path)
    found = recorded.newest("race", tmp_path)
    assert found is not None
    assert found.rows == [{"n": 2}]


@pytest.mark.parametrize("kind", ["", "Race", "a/b", "../x", "race-1"])
def test_a_kind_is_a_slug(kind: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="slug"):
        recorded.save(kind, [], settings={}, folder=tmp_path)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_is_named() -> None:
    assert recorded.machine("cuda")["gpu"]
