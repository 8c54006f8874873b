"""What a run of `fit` leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class History:
    """One row per epoch: `epoch`, `step`, `lr`, `train_loss`, and what validation measured."""

    rows: list[dict[str, float]] = field(default_factory=list)

    def to_frame(self) -> pd.DataFrame:
        """A pandas frame, indexed by epoch (the first is 1); without rows it is empty."""
        # Slow to import, and few lessons make a frame.
        import pandas as pd

        frame = pd.DataFrame(self.rows)
        return frame.set_index("epoch") if self.rows else frame

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"rows": [dict(row) for row in self.rows]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rows[:] = [dict(row) for row in state["rows"]]
