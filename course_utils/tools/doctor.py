"""The doctor: can this machine run the course, and if not, which command cures it.

Works on a bare Python: nothing but the standard library is imported until a check needs it, and a check
that breaks is a finding, not a crash.

    python -m course_utils doctor
    python course_utils/tools/doctor.py        before anything is installed
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]


def is_checkout(folder: Path) -> bool:
    """Whether a folder holds the whole course: its lessons, tests and pages, not the package alone."""
    return (folder / "pyproject.toml").is_file() and (folder / "course_utils").is_dir()


# Installed from a wheel, the package lies among others and writes nothing beside them.
PROJECT = HERE if is_checkout(HERE) else Path.cwd()
INSTALLED = Path(sysconfig.get_path("data")) / "share" / "course-utils" / "notebooks"


def folder_of_lessons(project: Path = PROJECT, installed: Path = INSTALLED) -> Path:
    """Where the lessons lie: in a checkout, or else where the wheel has put them."""
    return installed if installed.is_dir() and not (project / "notebooks").is_dir() else project / "notebooks"


PIP = f'"{sys.executable}" -m pip install'
LOCK = "requirements-learner.lock"  # what reading and running the lessons needs
BARE = (
    sys.prefix == sys.base_prefix and "CONDA_PREFIX" not in os.environ
)  # no environment of the course's own
INSTALL = "make doctor" if BARE and os.name == "posix" else f"{PIP} --no-deps -r {LOCK}"
if not is_checkout(HERE):
    INSTALL = f"{PIP} <the wheel of course-utils>"
LINK = "make doctor" if BARE and os.name == "posix" else f"{PIP} --no-deps --no-build-isolation -e ."
KERNEL_LIMIT = 60  # seconds
DISK_FAIL, DISK_WARN = 0.5e9, 2e9  # bytes: a full run writes about 100 MB
MEMORY_FAIL, MEMORY_WARN = 1.5e9, 3e9  # bytes: two lessons at a time need about 1.5 GB

OK, WARN, FAIL = "OK", "WARN", "FAIL"


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's: how it stands with one thing, and the command that cures it."""

    state: str
    what: str
    text: str
    cure: str = ""

    def __str__(self) -> str:
        line = f"{self.state:<4}  {self.what:<9}  {self.text}"
        return f"{line}\n      cure:      {self.cure}" if self.cure else line


def examine(project: Path = PROJECT, *, kernel: bool = True) -> Iterator[Finding]:
    """Check one thing after another; each finding comes as soon as it is known.

    Args:
        project: the folder of the lock, which build/ and workspace/ are written to.
        kernel: whether to start a kernel, which takes a few seconds.
    """
    checks: list[tuple[str, Callable[[], Finding]]] = [
        ("python", python),
        ("packages", lambda: packages(project / LOCK)),
        ("course", course),
        ("kernel", start_kernel),
        ("memory", memory),
        ("disk", lambda: disk(project)),
        ("write", lambda: write_access(project)),
        ("port", port),
        ("gpu", gpu),
    ]
    for what, check in checks:
        if what == "kernel" and not kernel:
            continue
        try:
            yield check()
        except Exception as problem:  # a broken package can raise anything on import
            yield Finding(FAIL, what, f"could not be checked: {type(problem).__name__}: {problem}", INSTALL)


def python(
    version: tuple[int, ...] = tuple(sys.version_info[:3]), bits: int = sys.maxsize.bit_length() + 1
) -> Finding:
    """Python 3.11 or later, of 64 bits (torch has no other)."""
    number = ".".join(map(str, version))
    if tuple(version[:2]) < (3, 11):
        return Finding(
            FAIL, "python", f"{number}, the course needs 3.11 or later", "make course PYTHON=python3.12"
        )
    if bits < 64:
        return Finding(
            FAIL, "python", f"{number} of 32 bits, torch needs 64", "install a 64-bit Python 3.11 or later"
        )
    return Finding(OK, "python", f"{number} at {sys.executable}")


def packages(lock: Path) -> Finding:
    """Every package that this platform needs is there: as in the lock, or as the installed wheel asks."""
    if not lock.exists() and is_checkout(HERE):
        return Finding(FAIL, "packages", f"no {lock.name} in {lock.parent}", f"git checkout {lock.name}")
    try:
        from packaging.requirements import Requirement
        from packaging.version import Version
    except ImportError:
        return Finding(FAIL, "packages", "not installed yet (the package `packaging` is missing)", INSTALL)
    if lock.exists():
        # a package is a line; below it, indented, are the hashes of its files
        source, lines = (
            lock.name,
            re.findall(r"^[^\s#].*?(?= *\\?$)", lock.read_text(encoding="utf-8"), re.MULTILINE),
        )
    else:
        source, lines = "the wheel's metadata", importlib.metadata.requires("course-utils") or []
    missing, other = [], []
    requirements = [Requirement(line) for line in lines]
    requirements = [one for one in requirements if one.marker is None or one.marker.evaluate({"extra": ""})]
    for one in requirements:
        try:
            installed = importlib.metadata.version(one.name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(one.name)
            continue
        if not one.specifier.contains(
            Version(installed), prereleases=True
        ):  # torch 2.13.0+cpu is torch 2.13.0
            other.append(f"{one.name} {installed} (wanted {one.specifier})")
    if missing:
        return Finding(FAIL, "packages", f"missing: {_few(missing)}", INSTALL)
    if other:
        return Finding(WARN, "packages", f"not as tested: {_few(other)}", INSTALL)
    return Finding(OK, "packages", f"{len(requirements)} as in {source}")


def course() -> Finding:
    """The package itself can be imported from any folder, and so can what it stands on."""
    code = "import course_utils, jupyterlab, matplotlib, numpy, papermill, torch; print(torch.__version__)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tempfile.gettempdir(), timeout=120
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        cure = LINK if "'course_utils'" in reason else INSTALL
        return Finding(FAIL, "course", reason, cure)
    return Finding(OK, "course", f"course_utils and torch {done.stdout.strip()} import")


def start_kernel() -> Finding:
    """A Jupyter kernel of this very Python starts and answers."""
    code = (
        "import sys\n"
        "from jupyter_client.manager import start_new_kernel\n"
        "from course_utils.tools.running.kernel import environment, variables\n"
        "with variables(environment(sys.argv[1], sys.argv[1])):\n"
        f"    manager, client = start_new_kernel(startup_timeout={KERNEL_LIMIT}, kernel_name='python3')\n"
        "try:\n"
        "    reply = client.execute_interactive('import sys; print(sys.executable)', timeout=30)\n"
        "finally:\n"
        "    client.stop_channels()\n"
        "    manager.shutdown_kernel(now=True)\n"
        "sys.exit(reply['content']['status'] != 'ok')\n"
    )
    cure = INSTALL if BARE else f"{PIP} --force-reinstall --no-deps ipykernel jupyter-client pyzmq"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])}
    with tempfile.TemporaryDirectory(prefix="course-", ignore_cleanup_errors=True) as scratch:
        try:
            done = subprocess.run(
                [sys.executable, "-c", code, scratch],
                capture_output=True,
                text=True,
                cwd=scratch,
                timeout=KERNEL_LIMIT + 60,
                env=env,
            )
        except subprocess.TimeoutExpired:
            return Finding(FAIL, "kernel", f"did not answer within {KERNEL_LIMIT} s", cure)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        return Finding(FAIL, "kernel", f"does not start: {reason}", cure)
    answer = done.stdout.strip()
    if Path(answer) != Path(sys.executable):
        return Finding(WARN, "kernel", f"starts another Python: {answer}", "unset JUPYTER_PATH")
    return Finding(OK, "kernel", "starts and answers")


def memory(available: float | None = None) -> Finding:
    """Enough memory for two lessons at a time."""
    if available is None:
        import psutil

        available = float(psutil.virtual_memory().available)
    text = f"{available / 1e9:.1f} GB available"
    if available < MEMORY_FAIL:
        return Finding(FAIL, "memory", text, "close other programs, then: make course JOBS=1")
    if available < MEMORY_WARN:
        return Finding(WARN, "memory", text, "make course JOBS=1")
    return Finding(OK, "memory", text)


def disk(project: Path, free: float | None = None) -> Finding:
    """Enough disk for what a run writes."""
    if free is None:
        free = float(shutil.disk_usage(project).free)
    text = f"{free / 1e9:.1f} GB free at {project}"
    if free < DISK_FAIL:
        return Finding(FAIL, "disk", text, "make clean, or free some space")
    return Finding(WARN if free < DISK_WARN else OK, "disk", text)


def write_access(project: Path) -> Finding:
    """Files can be made in the project's folder and in the folder for temporary ones.

    Where deploy/start serves the course, a reader's files are in their home, and the project is nobody's.
    """
    own = Path.home() if "COURSE_RECORD_DIR" in os.environ else project
    for folder in (own, Path(tempfile.gettempdir())):
        try:
            with tempfile.NamedTemporaryFile(dir=folder, prefix=".course-"):
                pass
        except OSError as problem:
            cure = f'chmod u+w "{folder}"' if os.name == "posix" else f'icacls "{folder}" /grant %USERNAME%:F'
            cure += "; or folders of your own: lab --workspace <folder>, run --build <folder>"
            return Finding(FAIL, "write", f"no file can be made in {folder}: {problem.strerror}", cure)
    return Finding(OK, "write", f"files can be made in {own}")


def port(number: int = 8888) -> Finding:
    """A port for JupyterLab on this machine alone; kernels need a few free ones as well."""
    with socket.socket() as any_port:
        try:
            any_port.bind(("127.0.0.1", 0))
        except OSError as problem:
            cure = "allow connections of this machine to itself (127.0.0.1) in the firewall"
            return Finding(FAIL, "port", f"none can be opened on 127.0.0.1: {problem.strerror}", cure)
    with socket.socket() as requirements:
        if os.name == "posix":
            requirements.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            requirements.bind(("127.0.0.1", number))
        except OSError:
            return Finding(OK, "port", f"{number} is in use; JupyterLab will take the next free one")
    return Finding(OK, "port", f"{number} is free")


def gpu() -> Finding:
    """Which accelerator torch sees. None is needed."""
    code = (
        "import torch\n"
        "if torch.cuda.is_available(): print(torch.cuda.get_device_name(0))\n"
        "elif torch.backends.mps.is_available(): print('Apple GPU (mps)')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    if done.returncode:
        return Finding(WARN, "gpu", "torch could not say")
    if name := done.stdout.strip():
        return Finding(OK, "gpu", name)
    if shutil.which("nvidia-smi"):
        text = "torch sees none, though this machine has nvidia-smi"
        return Finding(
            WARN, "gpu", text, "make course TORCH_INDEX=<address of torch's CUDA build>; not needed"
        )
    return Finding(OK, "gpu", "none, and none is needed")


def _few(names: list[str], most: int = 5) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def main(arguments: list[str] | None = None) -> int:
    """Print the findings; 1 where one is a FAIL, else 0."""
    if set(arguments or []) - {"--no-kernel"}:
        print("usage: python -m course_utils doctor [--no-kernel]")
        return 0 if set(arguments or []) & {"-h", "--help"} else 2
    print(f"{platform.platform()}, {os.cpu_count()} processors")
    failed = 0
    for finding in examine(kernel="--no-kernel" not in (arguments or [])):
        print(finding, flush=True)
        failed += finding.state == FAIL
    print(f"{failed} to cure before the course runs" if failed else "the course can run here")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
