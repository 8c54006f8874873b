"""The workflows and forms: valid by their schemas, actions pinned, the least rights, targets that exist."""

from __future__ import annotations

import os
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
FORMS = sorted((PROJECT / ".github").rglob("*.yml"))
WRITERS = {
    ("pages.yml", "deploy"): {"pages", "id-token"},
    ("newest-torch.yml", "report"): {"issues"},
    ("release.yml", "publish"): {"contents", "id-token", "attestations"},
}


def load(path: Path) -> dict[str, Any]:
    found: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    found["on"] = found.pop(True)  # YAML 1.1 reads `on` as true
    return found


WORKFLOWS = {path.name: load(path) for path in PATHS}
JOBS = [(name, job) for name, workflow in WORKFLOWS.items() for job in workflow["jobs"]]


def hooks() -> list[dict[str, Any]]:
    """The hooks of .pre-commit-config.yaml that use the course's own environment."""
    config = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    return [hook for source in config["repos"] if source["repo"] == "local" for hook in source["hooks"]]


HOOKS = {hook["id"]: hook for hook in hooks()}
SCHEMAS = [name for name, hook in HOOKS.items() if "check_jsonschema" in hook["entry"]]


def judged(hook: str) -> list[Path]:
    """The files that a hook looks at."""
    wanted, left_out = HOOKS[hook]["files"], HOOKS[hook].get("exclude", "^$")
    names = {path.relative_to(PROJECT).as_posix(): path for path in [*FORMS, PROJECT / "CITATION.cff"]}
    return [path for name, path in names.items() if re.search(wanted, name) and not re.search(left_out, name)]


def judge(hook: str, *paths: Path) -> subprocess.CompletedProcess[str]:
    """What a hook says of files, in this environment."""
    line = [sys.executable, *HOOKS[hook]["entry"].removeprefix("sh .ci/python ").split()]
    return subprocess.run([*line, *map(str, paths)], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("hook", SCHEMAS)
def test_valid_by_the_schema(hook: str) -> None:
    assert judged(hook)
    done = judge(hook, *judged(hook))
    assert done.returncode == 0, done.stdout


def test_each_form_is_judged_by_one_schema() -> None:
    assert sorted(path for hook in SCHEMAS for path in judged(hook)) == sorted(
        [*FORMS, PROJECT / "CITATION.cff"]
    )


@pytest.mark.parametrize(
    ("hook", "right", "wrong"),
    [
        ("workflows", "runs-on:", "run-on:"),
        ("dependabot", "package-ecosystem:", "ecosystem:"),
        ("issue-forms", "label:", "Label:"),
        ("issue-config", "true", "perhaps"),
        ("citation", "authors:", "author:"),
    ],
)
def test_the_schema_notices_a_mistake(hook: str, right: str, wrong: str, tmp_path: Path) -> None:
    text = judged(hook)[0].read_text(encoding="utf-8")
    assert right in text
    file = tmp_path / judged(hook)[0].name
    file.write_text(text.replace(right, wrong), encoding="utf-8")
    assert judge(hook, file).returncode != 0
    assert set(SCHEMAS) == {"workflows", "dependabot", "issue-forms", "issue-config", "citation"}


def test_hooks_use_what_the_lock_pins() -> None:
    lock = (PROJECT / "requirements.lock").read_text(encoding="utf-8")
    distributions = {"codespell_lib": "codespell", "check_jsonschema": "check-jsonschema"}
    for hook in HOOKS.values():
        found = re.match(r"sh \.ci/python -m (\w+)", hook["entry"])
        assert found, hook["entry"]
        assert hook["language"] == "system"
        assert re.search(rf"^{distributions.get(found[1], found[1])}==", lock, re.MULTILINE), found[1]


@pytest.mark.skipif(os.name != "posix", reason="a stand-in for Python that is a shell script")
@pytest.mark.parametrize("place", [".venv/bin/python", ".venv/Scripts/python.exe", "path/python"])
def test_hooks_find_the_environment(place: str, tmp_path: Path) -> None:
    for name in dict.fromkeys([place, "path/python"]):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f'#!/bin/sh\necho {name} "$@"\n')
        (tmp_path / name).chmod(0o755)
    search = os.pathsep.join([str(tmp_path / "path"), os.environ["PATH"]])
    line = ["sh", str(PROJECT / ".ci" / "python"), "-m", "a b"]
    done = subprocess.run(
        line, cwd=tmp_path, env={"PATH": search}, capture_output=True, text=True, timeout=30
    )
    assert done.stdout == f"{place} -m a b\n"


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


def test_every_system_is_tested_from_the_oldest_python() -> None:
    jobs = WORKFLOWS["ci.yml"]["jobs"]
    metadata = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    oldest = metadata["requires-python"].removeprefix(">=")
    assert jobs["linux"]["strategy"]["matrix"]["python"] == jobs["others"]["strategy"]["matrix"]["python"]
    assert jobs["linux"]["strategy"]["matrix"]["python"][0] == oldest


def test_the_others_run_what_make_runs() -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    steps = [str(step.get("run", "")) for step in WORKFLOWS["ci.yml"]["jobs"]["others"]["steps"]]
    assert "--ignore=tests/notebooks" in makefile
    assert any("tests --ignore=tests/notebooks" in step for step in steps)
    assert any("tests/notebooks/test_smoke.py" in step for step in steps)
    lint = re.search(r"^lint:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert lint
    commands = re.findall(r"\$\(BIN\)/(.+)$", lint[1], re.MULTILINE)
    assert len(commands) > 2
    for command in commands:
        assert any(command in step for step in steps), command


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


VERSION = "1.2.3"


@pytest.mark.skipif(shutil.which("bash") is None, reason="runs the workflow's own steps")
@pytest.mark.parametrize(
    ("tag", "changes", "address", "released"),
    [
        pytest.param("v1.2.3", "1.2.3 - 2030-01-31", "https://hub/a/b", True, id="all agree"),
        pytest.param("v1.2.4", "1.2.3 - 2030-01-31", "https://hub/a/b", False, id="another tag"),
        pytest.param("v1.2.3", "1.2.3 - unreleased", "https://hub/a/b", False, id="no date"),
        pytest.param("v1.2.3", "1.2.2 - 2030-01-31", "https://hub/a/b", False, id="no changes"),
        pytest.param("v1.2.3", "1.2.3 - 2030-01-31", "https://hub/<owner>/b", False, id="no address"),
    ],
)
def test_a_release_that_contradicts_itself_stops(
    tag: str, changes: str, address: str, released: bool, tmp_path: Path
) -> None:
    (tmp_path / "course_utils").mkdir()
    (tmp_path / "course_utils" / "__init__.py").write_text(f'"""Words."""\n\n__version__ = "{VERSION}"\n')
    (tmp_path / "CHANGELOG.md").write_text(
        f"# Changes\n\n## {changes}\n\n- new\n\n## 1.0.0 - 2029-01-01\n\n- old\n"
    )
    (tmp_path / "pyproject.toml").write_text(f'Repository = "{address}"\n')
    steps = {step.get("name"): step.get("run") for step in WORKFLOWS["release.yml"]["jobs"]["build"]["steps"]}
    [check] = [run for name, run in steps.items() if name and name.startswith("The tag, the version")]
    github = {"REF_TYPE": "tag", "REF_NAME": tag, "SERVER_URL": "https://hub", "REPOSITORY": "a/b"}
    environment = os.environ | {f"GITHUB_{name}": value for name, value in github.items()}
    done = subprocess.run(["bash", "-e", "-c", check], cwd=tmp_path, env=environment, timeout=30)
    assert (done.returncode == 0) == released
    [notes] = re.findall(
        r"^awk .* > notes\.md$", str(steps["What is attached, and what changed"]), re.MULTILINE
    )
    subprocess.run(["bash", "-e", "-c", notes], cwd=tmp_path, check=True, timeout=30)
    assert (tmp_path / "notes.md").read_text().strip() == "- new"


@pytest.mark.skipif(shutil.which("sed") is None, reason="needs sed")
@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_the_release_pins_each_package_once_for_each_python(tmp_path: Path, python: str) -> None:
    """Constraints without the lock's markers ask for two versions of a package, which pip refuses."""
    [line] = [
        line
        for step in WORKFLOWS["release.yml"]["jobs"]["build"]["steps"]
        for line in step.get("run", "").splitlines()
        if "versions.txt" in line and line.lstrip().startswith("sed ")
    ]
    subprocess.run(
        ["sh", "-ec", line], cwd=PROJECT, env={**os.environ, "RUNNER_TEMP": str(tmp_path)}, check=True
    )
    pins = [Requirement(pin) for pin in (tmp_path / "versions.txt").read_text(encoding="utf-8").splitlines()]
    here = {"python_version": python, "python_full_version": f"{python}.0"}
    names = [pin.name for pin in pins if pin.marker is None or pin.marker.evaluate(here)]
    assert sorted(set(names)) == sorted(names)
    assert {"torch", "numpy", "jupyterlab"} <= set(names)
