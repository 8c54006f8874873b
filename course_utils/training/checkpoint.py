"""All that a run needs to go on as if it had never stopped, in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from course_utils._checks import require
from course_utils._files import write_whole


def save(path: str | Path, parts: dict[str, Any]) -> None:
    """Write the `state_dict()` of each part, by name, whole or not at all; a part may be None."""
    state = {name: None if part is None else part.state_dict() for name, part in parts.items()}
    write_whole(path, lambda file: torch.save(state, file))


def load(path: str | Path, parts: dict[str, Any]) -> None:
    """Put every part back to where `save` found it.

    The file is read with `weights_only=True`: it cannot run code.

    Raises: ValueError where the file has other parts than these; nothing is changed then.
    """
    state = torch.load(path, map_location="cpu", weights_only=True)
    ours = isinstance(state, dict) and state.keys() == parts.keys()
    require(ours, "a checkpoint that fit() wrote", cure="give another checkpoint=", file=str(path))
    for name, part in parts.items():
        then, now = ("without" if one is None else "with" for one in (state[name], part))
        cure = "give the same arguments, or another checkpoint="
        require(then == now, f"to resume {then} {name}, as the run that wrote {path}", cure=cure)
    for name, part in parts.items():
        if part is not None:
            part.load_state_dict(state[name])
