"""What a run of `fit` leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from course_utils import plotting
from course_utils._checks import require

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class History:
    """One row per epoch: `epoch`, `step`, `lr`, `train_loss`, and what validation measured."""

    rows: list[dict[str, float]] = field(default_factory=list)

    def to_frame(self) -> pd.DataFrame:
        """A pandas frame, indexed by epoch (the first is 1); without rows it is empty."""
        import pandas as pd  # slow to import, and few lessons make a frame

        frame = pd.DataFrame(self.rows)
        return frame.set_index("epoch") if self.rows else frame

    def plot(self) -> Figure:
        """Losses against epochs, lines named at their ends.

        Raises: ValueError if there is no epoch to plot.
        """
        require(bool(self.rows), "an epoch to plot", cure="fit() fills the history", epochs=0)
        frame = self.to_frame()
        figure, axes = plotting.subplots()
        for column in [name for name in frame if str(name).endswith("loss")]:
            marker = "o" if len(frame) == 1 else None  # a line through one point is invisible
            axes.plot(frame.index, frame[column], label=str(column).replace("_", " "), marker=marker)
        plotting.finish(axes, title="Losses by epoch", x="epoch", y="loss")
        return figure

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"rows": [dict(row) for row in self.rows]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rows[:] = [dict(row) for row in state["rows"]]
