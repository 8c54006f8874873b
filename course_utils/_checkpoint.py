"""All that a run needs to go on as if it had never stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from course_utils._checks import require
from course_utils._files import write_whole
from course_utils.history import History


def save(
    path: Path, keep: dict[str, Any], generator: torch.Generator, history: History, step: int, stopped: bool
) -> None:
    state = {name: part.state_dict() for name, part in keep.items() if part is not None}
    state |= {"generator": generator.get_state(), "random": torch.get_rng_state(), "rows": history.rows}
    state |= {"cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []}
    state |= {"step": step, "stopped": stopped}
    write_whole(path, lambda file: torch.save(state, file))


def load(path: Path, keep: dict[str, Any], generator: torch.Generator, history: History) -> tuple[int, bool]:
    state = torch.load(path, map_location="cpu", weights_only=False)
    for name, part in keep.items():
        require((part is None) == (name not in state), f"the same {name} as the run that wrote {path.name}")
        if part is not None:
            part.load_state_dict(state[name])
    generator.set_state(state["generator"])
    torch.set_rng_state(state["random"])
    if torch.cuda.is_available() and state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])
    history.rows[:] = state["rows"]
    return state["step"], state["stopped"]
