"""Early stopping: the count, the copies, the file that survives a kill."""

from __future__ import annotations

import io
import math
import os
import pickle
import random
import signal
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

from course_utils import early_stopping
from course_utils.early_stopping import EarlyStopping
from tests.mutants import mistakes

SETTINGS = settings(max_examples=150, deadline=None, derandomize=True)
VALUES = st.lists(st.one_of(st.integers(-3, 3).map(float), st.just(math.nan)), min_size=1, max_size=15)


def model_with(value: float) -> nn.Module:
    """A model whose weights, and buffer, all hold `value`."""
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    fill(model, value)
    return model


def fill(model: nn.Module, value: float) -> None:
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.fill_(value)


def weights(model: nn.Module) -> set[float]:
    return {float(v) for tensor in model.state_dict().values() for v in tensor.flatten()}


def by_definition(values: list[float], patience: int, min_delta: float, mode: str) -> tuple[int, int | None]:
    """(index of the update that stops, or len(values); index of the best), straight from the definition."""
    sign = 1.0 if mode == "min" else -1.0
    best, best_step = math.inf, None
    for step, value in enumerate(values):
        if not math.isnan(value) and sign * value < best - min_delta:
            best, best_step = sign * value, step
        if step - (-1 if best_step is None else best_step) >= patience:
            return step, best_step
    return len(values), best_step


def run(cls: type, values: list[float], **kwargs: Any) -> tuple[int, Any, nn.Module]:
    stopper, model = cls(**kwargs), model_with(0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for step, value in enumerate(values):
            fill(model, step + 1.0)  # in place, as an optimizer does
            if stopper.update(value, model):
                return step, stopper, model
    return len(values), stopper, model


def check_rule(cls: type) -> None:
    @SETTINGS
    @given(VALUES, st.integers(1, 5), st.sampled_from([0.0, 1.0]), st.sampled_from(["min", "max"]))
    def holds(values: list[float], patience: int, min_delta: float, mode: str) -> None:
        stop, best = by_definition(values, patience, min_delta, mode)
        got, stopper, model = run(cls, values, patience=patience, min_delta=min_delta, mode=mode)
        assert (got, stopper.best_step, stopper.stopped) == (stop, best, stop < len(values))
        if best is not None:
            assert stopper.best_value == values[best]
            # on stopping the best weights are back, otherwise the last ones are untouched
            assert weights(model) == ({best + 1.0} if stopper.stopped else {float(len(values))})
            stopper.restore(model)
            assert weights(model) == {best + 1.0}

    holds()


def check_resume(cls: type) -> None:
    @SETTINGS
    @given(VALUES, st.integers(0, 14))
    def holds(values: list[float], cut: int) -> None:
        whole = run(cls, values, patience=3)
        stop, first, model = run(cls, values[:cut], patience=3)
        second = cls(patience=3)
        second.load_state_dict(first.state_dict())
        if not first.stopped:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                for stop in range(min(cut, len(values)), len(values) + 1):
                    if stop == len(values):
                        break
                    fill(model, stop + 1.0)
                    if second.update(values[stop], model):
                        break
        assert stop == whole[0]
        assert weights(model) == weights(whole[2])
        ours, theirs = second.state_dict(), whole[1].state_dict()
        assert ours.pop("best_model", None) is not None or theirs["best_model"] is None
        theirs.pop("best_model")
        assert ours == theirs

    holds()


def check_nan(cls: type) -> None:
    stopper, model = cls(patience=2), model_with(1.0)
    with pytest.warns(RuntimeWarning, match="NaN at update 0"):
        assert stopper.update(math.nan, model) is False
    assert stopper.update(5.0, model) is False
    assert (stopper.best_value, stopper.best_step, stopper.since_best) == (5.0, 1, 0)
    with pytest.warns(RuntimeWarning, match="NaN at update 2"):
        assert stopper.update(math.nan, model) is False
    with pytest.warns(RuntimeWarning):
        assert stopper.update(torch.tensor(math.nan), model) is True


def check_copies(cls: type) -> None:
    stopper, model = cls(patience=2), model_with(1.0)
    stopper.update(1.0, model)
    fill(model, 7.0)
    stopper.restore(model)
    assert weights(model) == {1.0}
    fill(model, 8.0)  # and what was restored is not the copy itself
    stopper.restore(model)
    assert weights(model) == {1.0}
    other = cls(patience=2)
    state = stopper.state_dict()
    other.load_state_dict(state)
    for tensor in state["best_model"].values():
        tensor.fill_(9)
    other.restore(model)
    assert weights(model) == {1.0}


def check_whole_file(cls: type, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that breaks off half way leaves the old file."""
    path = folder / "best.pt"
    stopper = cls(path=path)
    stopper.update(3.0, model_with(3.0))

    def broken(state: object, file: Any) -> None:
        with open(file, "wb") if isinstance(file, (str, Path)) else file as out:
            out.write(b"half")
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", broken)
        with pytest.raises(OSError, match="disk full"):
            stopper.update(2.0, model_with(2.0))
    assert path.read_bytes() != b"half"
    state = torch.load(path, weights_only=True)
    assert state["best_value"] == 3.0
    assert [file.name for file in folder.iterdir()] == ["best.pt"]


def check_more(cls: type) -> None:
    """Exempt updates and a target, by going through all the values again after each."""

    @SETTINGS
    @given(
        VALUES,
        st.integers(1, 4),
        st.integers(0, 6),
        st.none() | st.integers(-3, 3).map(float),
        st.sampled_from(["min", "max"]),
        st.sampled_from([0.0, 1.0]),
    )
    @example([1.0, 0.0], 2, 0, 0.0, "min", 1.0)  # reached, but by less than min_delta
    def holds(
        values: list[float], patience: int, start: int, target: float | None, mode: str, min_delta: float
    ) -> None:
        sign = 1.0 if mode == "min" else -1.0
        stop, why, best = len(values), None, None
        for now in range(start, len(values)):
            seen = [sign * v for v in values[start : now + 1]]
            if target is not None and seen[-1] <= sign * target:
                stop, why, best = now, "target", now
                break
            end, index = by_definition(seen, patience, min_delta, "min")
            best = None if index is None else start + index
            if end < len(seen):
                stop, why = now, "patience"
                break
        settings = {"patience": patience, "min_delta": min_delta, "mode": mode}
        got, stopper, model = run(cls, values, start_from=start, target=target, **settings)
        assert (got, stopper.stopped_by, stopper.best_step) == (stop, why, best)
        if best is not None:
            assert stopper.best_value == values[best]
            if stopper.stopped:
                assert weights(model) == {best + 1.0}

    holds()


class Clock:
    """Seconds that a test sets."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def check_time(cls: type) -> None:
    """The limit counts from the beginning, over exempt updates, pauses between two processes left out."""
    for way in ("whole", "loaded", "pickled"):
        clock = Clock(1000.0)
        kwargs = {"patience": 9, "time_limit": 60.0, "start_from": 1}
        stopper, model = cls(**kwargs, clock=clock), model_with(0.0)
        for update, after in enumerate([20.0, 20.0, 19.0, 1.0]):
            clock.now += after
            fill(model, update)
            assert stopper.stopped_by is None
            stopped = stopper.update(1.0 + update, model)
            assert stopped is (update == 3)
            if update == 1 and way != "whole":
                clock.now += 5
                state = stopper.state_dict() if way == "loaded" else pickle.dumps(stopper)
                if way == "loaded":
                    clock.now = 3.0  # another process, another zero
                    stopper = cls(**kwargs, clock=clock)
                    stopper.load_state_dict(state)
                else:
                    stopper = pickle.loads(state)
                    clock = stopper.clock
                    clock.now += 0.0
                clock.now -= 5
        assert stopper.stopped_by == "time limit"
        assert stopper.elapsed == pytest.approx(60.0)
        assert weights(model) == {1.0}  # the best of those that were looked at
        stopper.reset()
        assert (stopper.elapsed, stopper.stopped_by, stopper.stopped) == (0.0, None, False)
        clock.now += 59.0
        assert stopper.update(1.0, model) is False


def test_stops_and_restores_by_the_definition() -> None:
    check_rule(EarlyStopping)


def test_exempt_updates_and_a_target_by_the_definition() -> None:
    check_more(EarlyStopping)


def test_the_time_limit_by_a_clock_of_our_own() -> None:
    check_time(EarlyStopping)


def test_without_a_limit_no_clock_is_read() -> None:
    def never() -> float:
        raise AssertionError("read")

    stopper = EarlyStopping(clock=never)
    stopper.update(1.0, model_with(0.0))
    assert stopper.state_dict()["elapsed"] == 0.0


def test_the_file_written_on_reaching_the_target_says_that_the_run_is_over(tmp_path: Path) -> None:
    path = tmp_path / "best.pt"
    run(EarlyStopping, [3.0, 1.0], target=1.0, path=path)
    again = EarlyStopping(target=1.0, path=path)
    again.load_state_dict(torch.load(path, weights_only=True))
    assert (again.stopped, again.stopped_by) == (True, "target")


def test_a_state_of_another_or_not_whole_is_refused() -> None:
    _, stopper, _ = run(EarlyStopping, [2.0, 1.0, 3.0], patience=9)
    state = stopper.state_dict()
    for name in ("best_value", "best_step", "step", "since_best", "stopped", "best_model"):
        less = {key: value for key, value in state.items() if key != name}
        with pytest.raises(ValueError, match=rf"need a state of EarlyStopping, got missing=\['{name}'\]"):
            EarlyStopping().load_state_dict(less)
    with pytest.raises(ValueError, match=r'need a state of mode "max", got mode=.min.; pass mode="min"'):
        EarlyStopping(mode="max").load_state_dict(state)
    with pytest.raises(
        ValueError, match="need a state with the best weights, got best_model=None; pass rest"
    ):
        EarlyStopping().load_state_dict({**state, "best_model": None})
    EarlyStopping(restore_best=False).load_state_dict({**state, "best_model": None})
    before = {key: value for key, value in state.items() if key not in ("mode", "stopped_by", "elapsed")}
    old = EarlyStopping()
    old.load_state_dict(before)  # of the version that had none of these
    assert (old.best_value, old.stopped_by, old.elapsed) == (1.0, None, 0.0)


def test_numbers_of_numpy_are_taken() -> None:
    stopper = EarlyStopping(patience=np.int64(2), min_delta=np.float32(0.5), start_from=np.int8(1))
    assert (type(stopper.patience), type(stopper.min_delta), type(stopper.start_from)) == (int, float, int)
    for value in (np.float64(3), np.array(2.0), np.array([1.5]), torch.tensor([1.0]), 1):
        stopper.update(value, model_with(0.0))
    assert stopper.best_value == 1.0
    file = io.BytesIO()
    torch.save(stopper.state_dict(), file)
    file.seek(0)
    EarlyStopping().load_state_dict(torch.load(file, weights_only=True))


def test_resumed_equals_uninterrupted() -> None:
    check_resume(EarlyStopping)


def test_nan_is_worse_with_a_warning() -> None:
    check_nan(EarlyStopping)


def test_best_weights_are_copies() -> None:
    check_copies(EarlyStopping)


def test_broken_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_whole_file(EarlyStopping, tmp_path, monkeypatch)


def test_only_nan_restores_nothing_and_says_so() -> None:
    stop, stopper, model = run(EarlyStopping, [math.nan] * 4, patience=3)
    assert (stop, stopper.best_step, stopper.best_value) == (2, None, math.inf)
    assert weights(model) == {3.0}
    with pytest.raises(RuntimeError, match="need best weights to restore, got none after 3 updates"):
        stopper.restore(model)


def test_stopped_stays_stopped_until_reset() -> None:
    _, stopper, model = run(EarlyStopping, [1.0, 2.0], patience=1)
    fill(model, 5.0)
    assert stopper.update(0.0, model) is True
    assert (weights(model), stopper.best_value, stopper.step) == ({5.0}, 1.0, 2)
    stopper.reset()
    assert stopper.update(3.0, model) is False
    assert (stopper.best_value, stopper.best_step) == (3.0, 0)


def test_keep_the_last_weights_when_asked() -> None:
    stop, stopper, model = run(EarlyStopping, [1.0, 2.0, 2.0], patience=2, restore_best=False)
    assert (stop, weights(model), stopper.state_dict()["best_model"]) == (2, {3.0}, None)


def test_restore_from_the_file_without_a_copy_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "best.pt"
    _, stopper, model = run(EarlyStopping, [2.0, 1.0, 3.0], patience=9, restore_best=False, path=path)
    stopper.restore(model)
    assert weights(model) == {2.0}


def test_the_file_gives_the_model_and_resumes(tmp_path: Path) -> None:
    path = tmp_path / "best.pt"
    run(EarlyStopping, [2.0, 1.0, 3.0], patience=5, path=path)
    state = torch.load(path, weights_only=True)
    model = model_with(0.0)
    model.load_state_dict(state["best_model"])
    assert weights(model) == {2.0}
    resumed = EarlyStopping(patience=5)
    resumed.load_state_dict(state)
    assert (resumed.best_value, resumed.best_step, resumed.step, resumed.since_best) == (1.0, 1, 2, 0)
    fill(model, 0.0)
    resumed.restore(model)
    assert weights(model) == {2.0}


def test_optimizer_goes_on_with_the_restored_weights() -> None:
    stopper, model = EarlyStopping(patience=1), model_with(1.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    stopper.update(0.0, model)
    fill(model, 4.0)
    assert stopper.update(1.0, model)
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    optimizer.step()
    assert {float(v) for p in model.parameters() for v in p.detach().flatten()} == {0.0}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked process")
def test_killed_at_any_moment_the_file_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "best.pt"
    pause = random.Random(0)
    seen = set()
    for first in range(0, 12_000, 1000):
        child = os.fork()
        if child == 0:  # improve for ever; every version holds one value, weights and record alike
            try:
                model = nn.Linear(300, 300)
                stopper = EarlyStopping(path=path, mode="max", restore_best=False)
                for step in range(10**9):
                    fill(model, float(first + step))
                    stopper.update(float(first + step), model)
            finally:
                os._exit(1)
        while not path.exists() or torch.load(path, weights_only=True)["best_value"] < first:
            time.sleep(0.001)  # until this child has written: then it is somewhere in the next writes
        time.sleep(pause.uniform(0, 0.03))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        state = torch.load(path, weights_only=True)
        assert {float(v) for w in state["best_model"].values() for v in w.unique()} == {state["best_value"]}
        assert state["best_step"] == state["best_value"] - first
        seen.add(state["best_value"])
    assert len(seen) == 12


BAD = [
    ({"patience": 0}, r"need a whole number patience >= 1, got patience=0"),
    ({"patience": 2.5}, r"got patience=2.5"),
    ({"patience": True}, r"need a whole number patience >= 1, got patience=True"),
    ({"start_from": -1}, r"need a whole number start_from >= 0, got start_from=-1"),
    ({"start_from": 1.0}, r"need a whole number start_from >= 0"),
    ({"target": math.inf}, r"need a finite target, or None, got target=inf"),
    ({"target": math.nan}, r"need a finite target, or None"),
    ({"time_limit": 0}, r"need time_limit > 0 and finite, or None, got time_limit=0"),
    ({"time_limit": math.inf}, r"need time_limit > 0"),
    ({"min_delta": -1.0}, r"need min_delta >= 0 and finite, got min_delta=-1.0"),
    ({"min_delta": math.nan}, r"got min_delta=nan"),
    ({"mode": "lower"}, r"""need mode "min" or "max", got mode='lower'"""),
]


@pytest.mark.parametrize(("kwargs", "message"), BAD)
def test_bad_settings(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EarlyStopping(**kwargs)


def test_value_must_be_one_number() -> None:
    with pytest.raises(ValueError, match=r"need one number, got shape=\(2,\); reduce"):
        EarlyStopping().update(torch.ones(2), nn.Linear(1, 1))
    for wrong in (np.ones(3), "0.5", None, [1.0]):
        with pytest.raises(ValueError, match=r"need one number, got (shape|value)="):
            EarlyStopping().update(wrong, nn.Linear(1, 1))


def check_patient_stop(module: Any) -> None:
    """As the definition says, run by run, on values with ties and one NaN."""
    values = torch.randint(0, 12, (60, 15), generator=torch.Generator().manual_seed(3)).double()
    values[0, 4] = math.nan
    stopped_early = 0
    for patience in (1, 2, 3, 6):
        stop, best = module.patient_stop(values, patience)
        for s, row in enumerate(values.tolist()):
            end, first_best = by_definition(row, patience, 0.0, "min")
            assert (int(stop[s]), int(best[s])) == (min(end, 14), first_best)
            stopped_early += end < 14
    assert stopped_early > 100


def test_patient_stop() -> None:
    check_patient_stop(early_stopping)
    with pytest.raises(ValueError, match="patience >= 1"):
        early_stopping.patient_stop(torch.zeros(2, 3), 0)
    with pytest.raises(ValueError, match=r"values \(S, K\)"):
        early_stopping.patient_stop(torch.zeros(3), 1)


test_mistakes_of_patient_stop_are_caught = mistakes(
    "course_utils.early_stopping",
    [("rule.step - 1", "rule.step"), ("rule.best_step or 0", "rule.since_best")],
    check=check_patient_stop,
)


def test_repr_shows_the_settings() -> None:
    text = repr(EarlyStopping(3, 0.5, mode="max", path="a.pt"))
    assert text == "EarlyStopping(patience=3, min_delta=0.5, mode='max', restore_best=True, path='a.pt')"
    text = repr(EarlyStopping(start_from=2, target=0.5, time_limit=60))
    assert text.endswith("path=None, start_from=2, target=0.5, time_limit=60)")


MUTANTS = [
    pytest.param(
        check_rule, "self.since_best >= self.patience", "self.step >= self.patience", id="from-start"
    ),
    pytest.param(
        check_rule, "self.since_best >= self.patience", "self.since_best > self.patience", id="one-too-late"
    ),
    pytest.param(check_rule, "value < self.best_value", "value > self.best_value", id="greater-under-min"),
    pytest.param(check_rule, "self.best_value + self.min_delta", "self.best_value", id="min-delta-forgotten"),
    pytest.param(
        check_rule, "= value, self.step, 0\n", "= value, self.step, self.since_best\n", id="count-not-reset"
    ),
    pytest.param(
        check_rule, "self.stopped and self.restore_best and", "self.restore_best and", id="restores-always"
    ),
    pytest.param(check_copies, "copy.deepcopy(model.state_dict())", "model.state_dict()", id="references"),
    pytest.param(
        check_copies, 'copy.deepcopy(state["best_model"])', 'state["best_model"]', id="references-on-load"
    ),
    pytest.param(check_resume, '= state["since_best"]', "= 0", id="count-lost-on-resume"),
    pytest.param(check_more, "step >= self.start_from", "step > self.start_from", id="one-more-exempt"),
    pytest.param(check_more, "elif counts:", "else:", id="exempt-updates-count"),
    pytest.param(check_more, "better = looked_at and (", "better = (", id="exempt-updates-are-the-best"),
    pytest.param(check_more, "value <= self.target", "value < self.target", id="beyond-the-target"),
    pytest.param(check_more, "(self.improved(value) or reached)", "self.improved(value)", id="old-best-kept"),
    pytest.param(check_more, "elif looked_at and reached:", "elif reached:", id="exempt-updates-reach-it"),
    pytest.param(check_time, "self.elapsed >= self.time_limit", "self.elapsed > 9e9", id="no-limit"),
    pytest.param(check_time, 'state.get("elapsed", 0.0)', "0.0", id="time-lost-on-resume"),
    pytest.param(check_time, "self._seen = self.elapsed + now", "self._seen = now", id="time-since-the-last"),
]


test_mistake_is_caught = mistakes("course_utils.early_stopping", MUTANTS, of="EarlyStopping")


test_writing_in_place_is_caught = mistakes(
    "course_utils.early_stopping",
    [("write_whole(self.path, lambda file: torch.save(state, file))", "torch.save(state, self.path)")],
    check=check_whole_file,
    of="EarlyStopping",
    fixtures=["tmp_path", "monkeypatch"],
)
