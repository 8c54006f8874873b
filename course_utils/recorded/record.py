"""Results that were measured once, on a machine that is named, and are shown as recorded.

What a lesson cannot measure in its half minute (a GPU, an hour of computing) is measured by a module that
writes its rows here with their provenance. The lesson reads the newest record, says whose numbers they are,
and shows "not yet recorded" where there is none.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import re
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from course_utils._checks import require
from course_utils._files import write_whole

FOLDER = Path(__file__).parent / "files"


@dataclass(frozen=True)
class Record:
    """Rows of a measurement, and where they come from."""

    kind: str
    rows: list[dict[str, Any]]
    machine: dict[str, str]
    date: str  # of the measurement, UTC, ISO 8601
    settings: dict[str, Any]

    @property
    def provenance(self) -> str:
        """One line for a caption: device, date, versions."""
        device = self.machine.get("gpu") or self.machine["processor"]
        library = "torch" if "torch" in self.machine else "numpy"
        return f"recorded on {device}, {self.date[:10]}, {library} {self.machine[library]}"


def machine(device: str = "cpu") -> dict[str, str]:
    """What a measurement depends on: processor, cores, system, versions; the device and its driver."""
    import numpy as np  # here, so that whoever only reads records does not wait for it

    facts = {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    return facts | (_torch(device) if importlib.util.find_spec("torch") else {})


def save(
    kind: str,
    rows: list[dict[str, Any]],
    *,
    settings: dict[str, Any],
    device: str = "cpu",
    folder: Path = FOLDER,
) -> Path:
    """Write rows with their provenance to `<kind>-<date>.json` in `folder`, whole or not at all.

    Args:
        kind: what was measured, a slug: `timings`, `claims`.
        rows: plain dictionaries. settings: sizes, seeds, options: what one needs to run it again.
    """
    require(re.fullmatch(r"[a-z][a-z0-9_]*", kind) is not None, "a slug like 'timings'", kind=kind)
    now = datetime.now(UTC)
    record = {
        "kind": kind,
        "date": now.isoformat(timespec="seconds"),
        "machine": machine(device),
        "settings": settings,
        "rows": rows,
    }
    path = folder / f"{kind}-{now:%Y%m%dT%H%M%S}.json"
    text = json.dumps(record, indent=1, ensure_ascii=False)
    # a list of numbers on one line; a text holds no line's end
    text = re.sub(r"\[\n([-+.\deE,\s]+?)\n\s*\]", lambda found: f"[{' '.join(found[1].split())}]", text)
    write_whole(path, text + "\n")
    return path


def newest(kind: str, folder: Path = FOLDER) -> Record | None:
    """The newest record of a kind; None where nothing has been recorded yet."""
    files = sorted(folder.glob(f"{kind}-[0-9]*.json"))
    if not files:
        return None
    content = json.loads(files[-1].read_text(encoding="utf-8"))
    return Record(**{name: content[name] for name in Record.__dataclass_fields__})


def _processor() -> str:
    try:  # platform.processor() is empty on most Linux
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _torch(device: str) -> dict[str, str]:
    import torch

    facts = {"threads": str(torch.get_num_threads()), "torch": torch.__version__}
    if torch.device(device).type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        facts |= {
            "gpu": properties.name,
            "gpu_memory": f"{properties.total_memory / 2**30:.0f} GiB",
            "cuda": str(torch.version.cuda),
            "driver": _driver(),
        }
    return facts


def _driver() -> str:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.split()[
            0
        ]
    except (OSError, subprocess.SubprocessError, IndexError):
        return "unknown"
