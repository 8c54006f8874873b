"""The workflows: valid by GitHub's schema, actions pinned, no more rights than needed, targets that exist."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

PROJECT = Path(__file__).parents[1]
PATHS = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))
WRITERS = {("pages.yml", "deploy"): {"pages", "id-token"}, ("newest-torch.yml", "report"): {"issues"}}


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    found["on"] = found.pop(True)  # YAML 1.1 reads `on` as true
    return found


WORKFLOWS = {path.name: load(path) for path in PATHS}
JOBS = [(name, job) for name, workflow in WORKFLOWS.items() for job in workflow["jobs"]]


def check_schema(*paths: Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    return subprocess.run([*line, *map(str, paths)], capture_output=True, text=True, timeout=60)


def test_all_are_there() -> None:
    assert set(WORKFLOWS) == {"ci.yml", "pages.yml", "nightly.yml", "newest-torch.yml"}


def test_valid_by_the_schema() -> None:
    done = check_schema(*PATHS)
    assert done.returncode == 0, done.stdout


def test_the_schema_notices_a_mistake(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(PATHS[0].read_text(encoding="utf-8").replace("runs-on:", "run-on:"), encoding="utf-8")
    assert check_schema(wrong).returncode != 0


def test_dependabot_is_valid() -> None:
    line = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.dependabot"]
    done = subprocess.run(
        [*line, str(PROJECT / ".github" / "dependabot.yml")], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_actions_are_pinned_to_a_commit_with_its_version(path: Path) -> None:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    assert lines
    for line in lines:
        assert re.search(r"uses: actions/[a-z/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


@pytest.mark.parametrize(("name", "job"), JOBS)
def test_rights_are_the_least(name: str, job: str) -> None:
    workflow = WORKFLOWS[name]
    assert workflow["permissions"] == {"contents": "read"}
    granted = workflow["jobs"][job].get("permissions", {})
    assert {right for right, level in granted.items() if level == "write"} == WRITERS.get((name, job), set())
    assert "timeout-minutes" in workflow["jobs"][job]
    for step in workflow["jobs"][job]["steps"]:
        if "checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False


def test_nothing_from_outside_is_pasted_into_a_script() -> None:
    for name, job in JOBS:
        for step in WORKFLOWS[name]["jobs"][job]["steps"]:
            script = str(step.get("run", "")) + str(step.get("with", {}).get("script", ""))
            assert "${{" not in script, (name, job)


def test_make_targets_and_commands_exist() -> None:
    targets = set(
        re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    tiers = re.search(r"^TIERS +:= (.*)$", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert tiers
    named = []
    for name, job in JOBS:
        for step in WORKFLOWS[name]["jobs"][job]["steps"]:
            for line in re.findall(r"^make (.+)$", str(step.get("run", "")), re.MULTILINE):
                named += [word for word in line.split() if re.fullmatch(r"[a-z][a-z-]*", word)]
    assert "test" in named
    assert set(named) <= targets | set(tiers.group(1).split())


def test_systems_and_pythons() -> None:
    jobs = WORKFLOWS["ci.yml"]["jobs"]
    metadata = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    oldest = metadata["requires-python"].removeprefix(">=")
    assert jobs["linux"]["strategy"]["matrix"]["python"] == jobs["others"]["strategy"]["matrix"]["python"]
    assert jobs["linux"]["strategy"]["matrix"]["python"][0] == oldest
    assert [s.split("-")[0] for s in jobs["others"]["strategy"]["matrix"]["system"]] == ["macos", "windows"]


def test_the_others_run_what_make_runs() -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    steps = [str(step.get("run", "")) for step in WORKFLOWS["ci.yml"]["jobs"]["others"]["steps"]]
    assert "--ignore=tests/notebooks" in makefile
    assert any("tests --ignore=tests/notebooks" in step for step in steps)
    assert any("tests/notebooks/test_smoke.py" in step for step in steps)


@pytest.mark.skipif(shutil.which("sed") is None, reason="runs the workflow's own sed")
def test_the_weekly_run_finds_the_oldest_torch() -> None:
    text = (PROJECT / ".github" / "workflows" / "newest-torch.yml").read_text(encoding="utf-8")
    found = re.search(r"oldest=\$\(sed -nE '(.+)' pyproject.toml\)", text)
    assert found
    line = ["sed", "-nE", found[1], "pyproject.toml"]
    oldest = subprocess.run(line, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    [torch] = [one for one in map(Requirement, project["dependencies"]) if one.name == "torch"]
    assert f">={oldest.strip()}" in str(torch.specifier).split(",")


def test_nothing_blocks_on_the_newest_torch() -> None:
    assert set(WORKFLOWS["newest-torch.yml"]["on"]) == {"schedule", "workflow_dispatch"}
    assert set(WORKFLOWS["nightly.yml"]["on"]) == {"schedule", "workflow_dispatch"}
