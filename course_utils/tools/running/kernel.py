"""What a lesson's kernel sees: this environment's Python, one thread, its own folder, a runner's switches."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.manager import AsyncKernelManager

from course_utils._files import write_whole

# So lessons are measured: their tensors are small, and kernels that run side by side share the processors.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def environment(records: str | Path, scratch: str | Path) -> dict[str, str]:
    """Variables to set around anything that starts kernels for lessons.

    `JUPYTER_PATH` begins with a folder that holds one kernel, "python3", which is the Python that runs
    now: a kernel of that name installed elsewhere on the machine is never picked up. `IPYTHONDIR` is
    empty, so that nobody's start-up files run.

    Args:
        records: where claims go.
        scratch: an existing folder for the kernel's own files; it must outlive the kernels.
    """
    spec = Path(scratch) / "jupyter" / "kernels" / "python3" / "kernel.json"
    quiet = get_kernel_dict(extra_arguments=["--log-level=CRITICAL"])  # its argv begins with sys.executable
    write_whole(spec, json.dumps(quiet))
    inherited = os.environ.get("JUPYTER_PATH")
    return {
        "COURSE_RECORD_DIR": str(records),
        "COURSE_HEADLESS": "1",
        "COURSE_COLLECT_CLAIMS": "1",
        **ONE_THREAD,
        "JUPYTER_PATH": str(Path(scratch) / "jupyter") + (os.pathsep + inherited if inherited else ""),
        "IPYTHONDIR": str(Path(scratch) / "ipython"),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # else the debugger warns on stderr at every start
    }


@contextlib.contextmanager
def variables(wanted: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for a block, and put the old ones back after it."""
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def manager(log: Path) -> type[AsyncKernelManager]:
    """A manager of kernels whose stderr goes to a file, from which a start that failed can be told."""

    class Manager(AsyncKernelManager):
        async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
            with open(log, "ab") as stderr:
                await super().start_kernel(stderr=stderr, **options)

    return Manager
