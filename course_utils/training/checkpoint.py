"""All that a run needs to go on as if it had never stopped, in one file."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from course_utils._checks import require
from course_utils._files import write_whole
from course_utils.training.randomness import Randomness


class Checkpoint:
    """The parts of a run, saved and loaded together.

    Args:
        path: the file; with None nothing is written or read.
        parts: name -> what has a `state_dict()` and takes it back, or None where the run has no such part.
        draws: name -> what the run may draw from, or count with; see `Randomness`.
    """

    def __init__(self, path: str | Path | None, parts: dict[str, Any], draws: dict[str, object]) -> None:
        self.path = None if path is None else Path(path)
        self.parts = parts
        if path is not None:
            # Weights are kept by the model; the layers that hold them may draw.
            known = list(parts["model"].state_dict(keep_vars=True).values())
            known += [part for name, part in parts.items() if name not in ("model", "optimizer")]
            self.parts = {**parts, "randomness": Randomness(draws, known)}

    def begin(self, resume: bool) -> None:
        """Load the file, if it is to be resumed from and is there; else write it."""
        if resume and self.path is not None and self.path.exists():
            self.load(self.path)
        else:
            self.save()

    def save(self) -> None:
        """Write the state of each part, by name, whole or not at all."""
        if self.path is None:
            return
        state = {name: None if part is None else part.state_dict() for name, part in self.parts.items()}
        state["kinds"] = self._kinds()
        write_whole(self.path, lambda file: torch.save(state, file))

    def load(self, path: Path) -> None:
        """Put every part back to where `save` found it.

        The file is read with `weights_only=True`: it cannot run code.

        Raises: ValueError where the file has other parts than these; nothing is changed then.
        """
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, EOFError, RuntimeError):
            state = None
        ours = isinstance(state, dict) and state.keys() == {*self.parts, "kinds"}
        require(ours, "a checkpoint that fit() wrote", cure="give another checkpoint=", file=str(path))
        for name, now in self._kinds().items():
            then = state["kinds"][name]
            cure = "give the same arguments, or another checkpoint="
            rule = f"to resume {_with(then, name)}, as the run that wrote {path}"
            require(then == now, rule, cure=cure, **({} if None in (then, now) else {name: now}))
        for name, part in self.parts.items():
            if part is not None:
                part.load_state_dict(state[name])

    def _kinds(self) -> dict[str, str | None]:
        """The class of each part, without its module: torch's Adam reads what ours wrote, and ours torch's.

        The model's may have been renamed: its weights say whether they fit.
        """
        parts = {**self.parts, "model": None}
        return {name: None if part is None else type(part).__name__ for name, part in parts.items()}


def _with(kind: str | None, name: str) -> str:
    return f"without {name}" if kind is None else f"with {name} of class {kind}"
