"""What a run of `fit` leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd
from matplotlib.figure import Figure

from course_utils import plotting


@dataclass
class History:
    """One row per epoch: `epoch`, `step`, `lr`, `train_loss`, and what validation measured."""

    rows: list[dict[str, float]] = field(default_factory=list)

    def to_frame(self) -> pd.DataFrame:
        """A pandas frame, indexed by epoch (the first is 1)."""
        frame = pd.DataFrame(self.rows)
        return frame.set_index("epoch") if self.rows else frame

    def plot(self) -> Figure:
        """Losses against epochs, lines named at their ends."""
        frame = self.to_frame()
        figure, axes = plotting.subplots()
        for column in [name for name in frame if str(name).endswith("loss")]:
            axes.plot(frame.index, frame[column], label=str(column).replace("_", " "))
        plotting.finish(axes, title="Losses by epoch", x="epoch", y="loss")
        return figure
