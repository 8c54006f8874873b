"""Records: written whole, the newest is read, provenance is complete."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from course_utils.recorded import record as recorded


def test_nothing_recorded_is_none(tmp_path: Path) -> None:
    assert recorded.newest("race", tmp_path) is None
    assert recorded.newest("race", tmp_path / "no folder") is None


def test_lists_of_numbers_stand_on_one_line_and_texts_as_they_are(tmp_path: Path) -> None:
    rows = [
        {"scores": [0.5, -1e-07, 3], "text": "the list [ 1, 2 ]", "pairs": [[{"lr": 0.1}, 0.9]], "none": []}
    ]
    path = recorded.save("race", rows, settings={}, folder=tmp_path)
    found = recorded.newest("race", tmp_path)
    assert found is not None
    assert found.rows == rows
    assert '"scores": [0.5, -1e-07, 3]' in path.read_text()


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


def test_a_gpu_is_named_with_its_memory_and_driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    properties = SimpleNamespace(name="Made-up 9000", total_memory=24 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = recorded.machine("cuda:0")
    assert (found["gpu"], found["gpu_memory"], found["driver"]) == ("Made-up 9000", "24 GiB", "unknown")


@pytest.mark.skipif(os.name != "posix", reason="the made-up tool is a shell script")
@pytest.mark.parametrize(("says", "driver"), [("echo 550.1\necho 550.1", "550.1"), ("exit 9", "unknown")])
def test_the_driver_is_what_its_tool_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, says: str, driver: str
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{says}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert recorded._driver() == driver


def test_the_processor_is_named_where_the_system_has_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*args: Any, **kwargs: Any) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", gone)
    assert recorded._processor() == (platform.processor() or platform.machine()) != ""
