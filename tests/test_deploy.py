"""What serves the course to a class: every file can be read, names what exists, agrees with the others."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

PROJECT = Path(__file__).resolve().parents[1]
DEPLOY, BINDER = PROJECT / "deploy", PROJECT / "binder"
LOCK = (PROJECT / "requirements.lock").read_text(encoding="utf-8").splitlines()
ABOUT = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
VALUES = yaml.safe_load((DEPLOY / "z2jh-values.yaml").read_text(encoding="utf-8"))
LANDING = "/lab/tree/course/00_start_here.ipynb"
SCRIPTS = [DEPLOY / "start", BINDER / "start", BINDER / "postBuild"]

posix = pytest.mark.skipif(os.name != "posix", reason="JupyterHub and the scripts are for Linux and macOS")


# ---- the hub's configuration


def load(monkeypatch: pytest.MonkeyPatch, folder: Path, **variables: str) -> Any:
    """The configuration as JupyterHub reads it, from a copy in `folder`/deploy."""
    from traitlets.config.loader import PyFileConfigLoader

    for name in ("COURSE_HUB_TRIAL", "COURSE_HUB_STATE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (folder / "deploy").mkdir(exist_ok=True)
    shutil.copy(DEPLOY / "jupyterhub_config.py", folder / "deploy")
    return PyFileConfigLoader("jupyterhub_config.py", path=str(folder / "deploy")).load_config()


def with_a_class(folder: Path) -> None:
    (folder / "deploy").mkdir()
    (folder / "deploy" / "students.txt").write_text("# 2026\nada  # row one\n\nblaise\n")
    (folder / "deploy" / "teachers.txt").write_text("emmy\n")


def unknown(config: Any) -> list[str]:
    """Settings that no class has: JupyterHub would only warn."""
    from jupyterhub import app, auth, proxy, spawner
    from jupyterhub.authenticators import shared

    found = []
    for section, settings in config.items():
        owner = next(vars(m)[section] for m in (app, spawner, proxy, auth, shared) if section in vars(m))
        known = owner.class_traits(config=True)
        found += [f"{section}.{name}" for name in settings if name not in known]
    return found


@posix
def test_a_class_signs_in_with_its_accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jupyterhub.spawner import LocalProcessSpawner, SimpleLocalProcessSpawner

    with_a_class(tmp_path)
    config = load(monkeypatch, tmp_path, COURSE_HUB_STATE=str(tmp_path / "state"))
    assert unknown(config) == []
    assert config.JupyterHub.authenticator_class == "pam"
    assert config.Authenticator.allowed_users == {"ada", "blaise"}
    assert config.Authenticator.admin_users == {"emmy"}
    assert "allow_all" not in config.Authenticator
    assert not config.Authenticator.admin_users & config.Authenticator.allowed_users, "no student is an admin"
    for all_may in ("any_allow_config", "allow_existing_users", "create_system_users"):
        assert all_may not in config.Authenticator
    assert issubclass(config.JupyterHub.spawner_class, LocalProcessSpawner)
    assert not issubclass(config.JupyterHub.spawner_class, SimpleLocalProcessSpawner)
    assert config.JupyterHub.bind_url.startswith("http://127.0.0.1:")
    assert "--allow-root" not in config.Spawner.args
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0, "the database and the secret are the hub's alone"


@posix
@pytest.mark.parametrize("missing", ["students.txt", "teachers.txt"])
def test_without_a_list_nobody_signs_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    with_a_class(tmp_path)
    (tmp_path / "deploy" / missing).unlink()
    with pytest.raises(SystemExit, match=f"need .*{missing} with one user name a line"):
        load(monkeypatch, tmp_path, COURSE_HUB_STATE=str(tmp_path / "state"))


@posix
def test_a_trial_asks_for_a_password_and_stays_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load(monkeypatch, tmp_path, COURSE_HUB_TRIAL="chalk-and-sponge")
    assert unknown(config) == []
    assert config.JupyterHub.authenticator_class == "shared-password"
    assert config.SharedPasswordAuthenticator.user_password == "chalk-and-sponge"
    assert config.JupyterHub.bind_url.startswith("http://127.0.0.1:")
    assert config.JupyterHub.db_url == f"sqlite:///{tmp_path}/build/hub/state/jupyterhub.sqlite"


@posix
def test_unknown_settings_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load(monkeypatch, tmp_path, COURSE_HUB_TRIAL="chalk-and-sponge")
    config.Spawner.memory_limit = 1
    assert unknown(config) == ["Spawner.memory_limit"]


@posix
def test_each_process_of_a_student_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load(monkeypatch, tmp_path, COURSE_HUB_TRIAL="chalk-and-sponge")
    spawner = config.JupyterHub.spawner_class(home_dir=str(tmp_path / "home"))
    code = (
        "import os, resource as r; print(r.getrlimit(r.RLIMIT_DATA), r.getrlimit(r.RLIMIT_CORE), os.getcwd())"
    )
    line = [sys.executable, "-c", code]
    begin = spawner.make_preexec_fn("ada")
    done = subprocess.run(line, preexec_fn=begin, capture_output=True, text=True, check=True)
    memory = config.Spawner.mem_limit
    assert done.stdout.strip() == f"({memory}, {memory}) (0, 0) {(tmp_path / 'home').resolve()}"


@posix
def test_idle_servers_and_kernels_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings are the student's server's, so JupyterHub does not know them."""
    from jupyter_server.serverapp import ServerApp
    from jupyter_server.services.kernels.kernelmanager import MappingKernelManager

    config = load(monkeypatch, tmp_path, COURSE_HUB_TRIAL="chalk-and-sponge")
    given = dict(re.findall(r"--(\w+\.\w+)=(\d+)", " ".join(config.Spawner.args)))
    assert set(given) == {
        "ServerApp.shutdown_no_activity_timeout",
        "MappingKernelManager.cull_idle_timeout",
        "MappingKernelManager.cull_interval",
    }
    for name in given:
        owner, setting = name.split(".")
        known = {"ServerApp": ServerApp, "MappingKernelManager": MappingKernelManager}[owner]
        assert setting in known.class_traits(config=True)
    kernel = int(given["MappingKernelManager.cull_idle_timeout"])
    assert 0 < kernel <= int(given["ServerApp.shutdown_no_activity_timeout"])


# ---- the scripts


@posix
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_scripts_are_sound(script: Path) -> None:
    assert os.access(script, os.X_OK), f"chmod +x {script}"
    assert script.read_text(encoding="utf-8").startswith("#!/usr/bin/env bash\n")
    subprocess.run(["bash", "-n", str(script)], check=True)


def start(script: Path, home: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "HOME": str(home), "COURSE_PYTHON": sys.executable, **variables}
    env.pop("COURSE_RECORD_DIR", None)
    return subprocess.run([str(script), *command], env=env, cwd=home, capture_output=True, text=True)


@posix
@pytest.mark.parametrize("script", [DEPLOY / "start", BINDER / "start"], ids=["hub", "binder"])
def test_lessons_are_copied_before_the_server_starts(tmp_path: Path, script: Path) -> None:
    done = start(script, tmp_path, "bash", "-c", 'echo "$COURSE_RECORD_DIR|$1|$2"; exit 7', "_", "a b", "*")
    assert done.returncode == 7, done.stderr
    assert done.stdout.splitlines()[-1] == f"{tmp_path}/.course/records|a b|*"
    copies = {path.name for path in (tmp_path / "course").glob("*.ipynb")}
    assert copies == {path.name for path in (PROJECT / "notebooks").glob("[0-9]*.ipynb")}


@posix
@pytest.mark.parametrize("script", [DEPLOY / "start", BINDER / "start"], ids=["hub", "binder"])
def test_a_kernel_computes_on_one_thread_unless_told(tmp_path: Path, script: Path) -> None:
    told = 'echo "$OMP_NUM_THREADS|$MKL_NUM_THREADS"'
    for asked, threads in (("", "1"), ("4", "4")):
        variables = {"COURSE_PYTHON": "true", "OMP_NUM_THREADS": asked, "MKL_NUM_THREADS": asked}
        done = start(script, tmp_path, "bash", "-c", told, **variables)
        assert done.stdout.strip() == f"{threads}|{threads}"


@posix
def test_jupyterlab_finds_what_the_course_adds_to_it(tmp_path: Path) -> None:
    told = 'echo "$JUPYTER_PATH|$JUPYTER_CONFIG_PATH"'
    done = start(DEPLOY / "start", tmp_path, "bash", "-c", told, COURSE_PYTHON="true", JUPYTER_PATH="/mine")
    data, settings = (path.split(":") for path in done.stdout.strip().split("|"))
    assert data[1:] == ["/mine"]
    assert data[:1] == settings
    folder = Path(settings[0])
    about = json.loads((folder / "labextensions" / "course_lab" / "package.json").read_text())
    assert (folder / "labextensions" / "course_lab" / about["jupyterlab"]["_build"]["load"]).exists()
    assert json.loads((folder / "labconfig" / "default_setting_overrides.json").read_text())


COPIES = """#!/bin/sh
# in place of Python: what `course_utils lab` makes
for last; do :; done
mkdir -p "$last" && echo words > "$last/00_start_here.ipynb"
"""


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root, to be two other users")
def test_students_cannot_read_each_other_s_files() -> None:
    """Two users of this machine whose homes everybody may enter, as Debian makes them."""
    ada, blaise = 23001, 23002
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)
        shutil.copy(DEPLOY / "start", folder)
        (folder / "course_utils" / "tools" / "jupyterlab").mkdir(parents=True)
        (folder / "deploy").mkdir()
        shutil.move(folder / "start", folder / "deploy" / "start")
        (folder / "python").write_text(COPIES)
        (folder / "python").chmod(0o755)
        homes = {}
        for user in (ada, blaise):
            homes[user] = folder / str(user)
            homes[user].mkdir(mode=0o755)
            os.chown(homes[user], user, user)
        before = homes[blaise] / "course"  # made by a hub that did not see to it
        before.mkdir(mode=0o755)
        os.chown(before, blaise, blaise)

        def run(user: int, *line: str) -> subprocess.CompletedProcess[str]:
            env = {"PATH": "/usr/bin:/bin", "HOME": str(homes[user]), "COURSE_PYTHON": str(folder / "python")}
            done: subprocess.CompletedProcess[str] = subprocess.run(
                line, env=env, cwd="/", user=user, group=user, extra_groups=[], capture_output=True, text=True
            )
            return done

        write = "mkdir -p ~/.course && echo secret | tee ~/course/answer ~/.course/progress ~/elsewhere"
        for user in (ada, blaise):
            done = run(user, str(folder / "deploy" / "start"), "sh", "-c", write)
            assert done.stdout == "secret\n", done.stderr
        names = ["course/answer", "course/00_start_here.ipynb", ".course/progress", "elsewhere"]
        for reader, owner in ((ada, blaise), (blaise, ada)):
            for name in names:
                assert run(owner, "cat", str(homes[owner] / name)).returncode == 0, name
                assert "denied" in run(reader, "cat", str(homes[owner] / name)).stderr, name
            assert "denied" in run(reader, "ls", str(homes[owner] / "course")).stderr


def test_a_server_starts_even_where_nothing_can_be_copied(tmp_path: Path) -> None:
    done = start(DEPLOY / "start", tmp_path, "echo", "started", COURSE_PYTHON="false")
    assert (done.returncode, done.stdout) == (0, "started\n")
    assert "could not be copied" in done.stderr


# ---- the image


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, continued lines joined."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in text.splitlines() if line.strip()]


def test_image_has_the_oldest_python() -> None:
    oldest = ABOUT["requires-python"].removeprefix(">=")
    assert re.fullmatch(rf"python:{re.escape(oldest)}\.\d+-slim-\w+", dict(instructions())["FROM"]), "pinned"


def test_dockerfile_copies_what_exists_and_is_not_ignored() -> None:
    allowed = {
        line.removeprefix("!")
        for line in (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    copied = {
        name.rstrip("/") for kind, text in instructions() if kind == "COPY" for name in text.split()[:-1]
    }
    assert copied == allowed
    assert [name for name in copied if not (PROJECT / name).exists()] == []


PRETENDS = """#!/bin/sh
case "$1 $2" in
    -c*sys.argv*) exit 0 ;;
    -c*) exit 1 ;;
esac
echo "$PWD $@" >> {log}
"""


@posix
def test_image_is_made_by_steps_that_find_their_files(tmp_path: Path) -> None:
    """The COPY and RUN lines in turn, in a folder in place of the image, with a stand-in for Python."""
    image, log, bin = tmp_path / "image", tmp_path / "log", tmp_path / "bin"
    bin.mkdir()
    for name, text in (("python", PRETENDS.format(log=log)), ("useradd", "#!/bin/sh\n")):
        (bin / name).write_text(text)
        (bin / name).chmod(0o755)
    environment = {"PATH": f"{bin}:{os.environ['PATH']}", "TORCH_INDEX": "", "JUPYTERHUB": "5.4.4"}
    work = image
    for kind, text in instructions():
        if kind == "WORKDIR":
            work = image / text.strip().lstrip("/")
            work.mkdir(parents=True, exist_ok=True)
        elif kind == "COPY":
            *sources, target = text.split()
            for source in sources:
                if (PROJECT / source).is_dir():
                    shutil.copytree(PROJECT / source, work / target, dirs_exist_ok=True)
                else:
                    place = work / target / Path(source).name if target.endswith("/") else work / target
                    place.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(PROJECT / source, place)
        elif kind == "RUN":
            work.mkdir(parents=True, exist_ok=True)
            subprocess.run(["sh", "-e", "-c", text], cwd=work, env=environment, check=True, timeout=60)
    home = image / "srv" / "course"
    assert log.read_text().splitlines() == [
        f"{home} -m pip install --quiet --no-deps --require-hashes -r requirements.lock",
        f"{home} -m pip install jupyterhub==5.4.4",
        f"{home} -m pip install --no-deps --no-build-isolation -e .",
    ]
    assert (home / "notebooks" / Path(LANDING).name).is_file()
    assert os.access(home / "deploy" / "start", os.X_OK)


def test_image_starts_through_a_script_that_it_has() -> None:
    (entry,) = json.loads(dict(instructions())["ENTRYPOINT"])
    home = next(text for kind, text in instructions() if kind == "WORKDIR")
    assert PROJECT / Path(entry).relative_to(home) == DEPLOY / "start"


# ---- Kubernetes


def test_values_agree_with_the_hub_and_the_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = VALUES["singleuser"]
    assert user["defaultUrl"] == LANDING
    assert f"--LabApp.default_url={LANDING}" in json.loads(dict(instructions())["CMD"])
    assert f"HOME={user['storage']['homeMountPath']}" in DOCKERFILE
    if os.name == "posix":
        config = load(monkeypatch, tmp_path, COURSE_HUB_TRIAL="chalk-and-sponge")
        assert config.Spawner.default_url == LANDING


# ---- Binder


def test_binder_installs_what_lessons_need_with_the_oldest_python() -> None:
    [line] = [
        line
        for line in (BINDER / "postBuild").read_text(encoding="utf-8").splitlines()
        if ".ci/install" in line and not line.startswith("#")
    ]
    assert (PROJECT / line.split()[-1]).name == "requirements-learner.lock"
    assert (PROJECT / line.split()[-1]).exists()
    oldest = ABOUT["requires-python"].removeprefix(">=")
    assert (BINDER / "runtime.txt").read_text().strip() == f"python-{oldest}"


# ---- Colab, and what the page says


def test_colab_s_packages_are_the_course_s() -> None:
    text = (DEPLOY / "colab.md").read_text(encoding="utf-8")
    found = re.search(r"grep -oE '(\^\(.+\)==\[\^ \]\+)' requirements\.lock", text)
    assert found
    lines = [match[0] for line in LOCK if (match := re.search(found[1], line))]
    names = {Requirement(line).name for line in lines}
    assert names == {"kornia", "kornia-rs", "mnist1d"}
    wanted = {Requirement(text).name for text in ABOUT["dependencies"]}
    assert names - {"kornia-rs"} <= wanted, "kornia-rs is kornia's own"
    cell = re.search(r"```python\n(.+?)```", text, re.DOTALL)
    assert cell
    assert "torch" not in cell[1], "Colab's own stays"
    lesson = re.search(r"notebooks/(\S+\.ipynb)", text)
    assert lesson
    assert (PROJECT / "notebooks" / lesson[1]).exists()


@pytest.mark.parametrize("page", ["README.md", "colab.md"])
def test_pages_name_what_exists(page: str) -> None:
    text = (DEPLOY / page).read_text(encoding="utf-8")
    heads = {
        re.sub(r"[^\w -]", "", head).lower().replace(" ", "-")
        for head in re.findall(r"^## (.+)$", text, re.M)
    }
    for link in re.findall(r"\]\(([^)]+)\)", text):
        target = link.removeprefix("#")
        assert target in heads if link.startswith("#") else (DEPLOY / target).exists(), link
    for name in re.findall(r"`((?:deploy|binder)/[\w.-]+)`", text):
        if name not in ("deploy/students.txt", "deploy/teachers.txt"):  # the school writes them
            assert (PROJECT / name).exists(), name


def test_the_proxy_of_the_page_is_the_one_that_is_tested() -> None:
    tested = re.search(
        r'^PROXY = "(.+)"', (PROJECT / "tests/web/test_hub.py").read_text(encoding="utf-8"), re.M
    )
    assert tested
    page = (DEPLOY / "README.md").read_text(encoding="utf-8")
    assert f"configurable-http-proxy@{tested[1]}" in page
