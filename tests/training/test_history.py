"""The history of a run, as rows and as a frame."""

from __future__ import annotations

from course_utils import losses
from course_utils.optimizers import SGD
from course_utils.training import accuracy, fit
from course_utils.training.history import History
from tests.training.runs import examples, net


def test_history_to_frame() -> None:
    model = net()
    history = fit(model, examples(), examples(seed=1), optimizer=SGD(model.parameters(), lr=0.1),
                  loss=losses.cross_entropy, metric=accuracy, epochs=3)  # fmt: skip
    frame = history.to_frame()
    assert frame.index.name == "epoch"
    assert frame.index.tolist() == [1, 2, 3]
    assert frame.columns.tolist() == ["step", "lr", "train_loss", "validation_loss", "validation_metric"]
    assert frame["step"].tolist() == [2, 4, 6]
    assert History().to_frame().empty
