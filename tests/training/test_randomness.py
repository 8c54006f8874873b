"""Randomness: every source of a run is found, kept and put back bit for bit, or refused by its name."""

from __future__ import annotations

import functools
import itertools
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, Sampler, TensorDataset

from course_utils import losses
from course_utils.augmentation import RandomHorizontalFlip
from course_utils.layers import Dropout
from course_utils.optimizers import SGD
from course_utils.training import fit, randomness
from course_utils.training.randomness import Randomness
from course_utils.training.variables import variables
from tests.mutants import mistakes
from tests.training.runs import examples, same

X, Y = examples(40, dtype=torch.float32)


def noise(x: Tensor, rng: np.random.Generator | np.random.RandomState) -> Tensor:
    return x + torch.from_numpy(rng.normal(size=tuple(x.shape))).float()


class Shuffled(Sampler[int]):
    """Shuffles one list in place, epoch after epoch."""

    def __init__(self) -> None:
        self.random, self.order = random.Random(5), list(range(40))

    def __len__(self) -> int:
        return 40

    def __iter__(self) -> Iterator[int]:
        self.random.shuffle(self.order)
        return iter(list(self.order))


class Noisy(Dataset[Any]):
    """Draws in __getitem__, from a generator of the kind that it is given."""

    def __init__(self, rng: Any) -> None:
        self.rng = rng

    def __len__(self) -> int:
        return 40

    def __getitem__(self, i: int) -> Any:
        return noise(X[i], self.rng), Y[i]


class CountsEpochs:
    def __init__(self) -> None:
        self.epoch = 0

    def __iter__(self) -> Iterator[Any]:
        self.epoch += 1
        for i in torch.randperm(40, generator=torch.Generator().manual_seed(self.epoch)).split(8):
            yield X[i], Y[i]


class CountsLater(CountsEpochs):
    """Its counter is made in the first epoch."""

    def __init__(self) -> None:
        pass

    def __iter__(self) -> Iterator[Any]:
        self.epoch = getattr(self, "epoch", 0)
        return super().__iter__()


class Slotted:
    __slots__ = ("count", "rng")

    def __init__(self) -> None:
        self.rng, self.count = np.random.RandomState(4), 0

    def __call__(self, x: Tensor) -> Tensor:
        self.count += 1
        return noise(x, self.rng) * (1 + 0.01 * self.count)


class Streams(IterableDataset[Any]):
    def __init__(self) -> None:
        self.seed = 0

    def __iter__(self) -> Iterator[Any]:
        self.seed += 1
        for i in np.random.RandomState(self.seed).permutation(40):
            yield X[i], Y[i]


class Permutes(Dataset[Any]):
    """Its own data change: tensors in place, an array in place, a tensor replaced, in every epoch."""

    def __init__(self) -> None:
        self.x, self.scale, self.order = X.clone(), np.ones(6, dtype=np.float32), torch.arange(40)

    def __len__(self) -> int:
        return 40

    def __getitem__(self, i: int) -> Any:
        if i == 0:
            self.x.mul_(1.01)
            self.scale *= np.float32(0.9)
            self.order = self.order.roll(1)
        return self.x[self.order[i]] * torch.from_numpy(self.scale), Y[self.order[i]]


class Drops(nn.Module):
    """A part of a model that draws from NumPy, counts its calls and keeps a buffer that is not saved."""

    def __init__(self) -> None:
        super().__init__()
        self.rng, self.calls = np.random.default_rng(7), 0
        self.register_buffer("level", torch.ones(6), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.level.mul_(0.99)
        return noise(x, self.rng) * self.level / self.calls


class Shared:
    """What its class holds belongs to every object of it, made anew or not."""

    rng = np.random.default_rng(6)
    calls = 0

    @classmethod
    def count(cls) -> None:
        cls.calls += 1

    def __call__(self, x: Tensor) -> Tensor:
        self.count()
        return noise(x, self.rng) * (1 + 0.1 * self.calls)


class Inherits(Dataset[Any]):
    """A method that draws from a generator of its module."""

    def __len__(self) -> int:
        return 40

    def __getitem__(self, i: int) -> Any:
        return self.moved(X[i]), Y[i]

    @staticmethod
    def moved(x: Tensor) -> Tensor:
        return x + GLOBAL.random()


class Child(Inherits):
    pass


class Sobol:
    def __init__(self) -> None:
        self.engine = torch.quasirandom.SobolEngine(6, scramble=True, seed=2)

    def __call__(self, x: Tensor) -> Tensor:
        return x + self.engine.draw(len(x))


class Logs:
    """Draws nothing, but remembers: numbers in a list, tensors in a dict."""

    def __init__(self) -> None:
        self.sums, self.kept, self.rng = [0.0], {"first": torch.zeros(1)}, random.Random(8)

    def __call__(self, x: Tensor) -> Tensor:
        self.sums.append(float(x.sum()))
        self.kept[str(len(self.kept))] = x
        return x * (1 + self.rng.random() * len(self.sums))


GLOBAL = random.Random(3)
COUNT = 0


def helper(x: Tensor) -> Tensor:
    return torch.stack(tuple(row * (1 + GLOBAL.random()) for row in x))  # a function in the function


def counts_calls(x: Tensor) -> Tensor:
    global COUNT
    COUNT += 1
    return helper(x) / COUNT


def closes_over() -> Callable[[Tensor], Tensor]:
    count, seeds = 0, np.random.SeedSequence(3)

    def augment(x: Tensor) -> Tensor:
        nonlocal count
        count += 1
        return noise(x, np.random.default_rng(seeds.spawn(1)[0])) * (1 + 0.1 * count)

    return augment


def spawns() -> Callable[[Tensor], Tensor]:
    rng = np.random.default_rng(3)
    return lambda x: noise(x, rng.spawn(1)[0])


def drawn_loss() -> Callable[[Tensor, Tensor], Tensor]:
    weights = {"rng": [np.random.Generator(np.random.Philox(2))]}
    return lambda p, t: losses.cross_entropy(noise(p, weights["rng"][0]), t)


def loader(**how: Any) -> DataLoader[Any]:
    return DataLoader(how.pop("dataset", TensorDataset(X, Y)), 8, **how)


def batches_of_numbers(rng: Any) -> Any:
    return loader(dataset=Noisy(rng), shuffle=True, generator=torch.Generator().manual_seed(2))


CASES: dict[str, Callable[[], dict[str, Any]]] = {
    "numpy's global in augment": lambda: {"augment": lambda x: x + float(np.random.rand())},  # noqa: NPY002
    "Python's global in augment": lambda: {"augment": lambda x: x + random.random()},
    "default_rng in augment": lambda: {"augment": functools.partial(noise, rng=np.random.default_rng(0))},
    "MT19937 in augment": lambda: {
        "augment": functools.partial(noise, rng=np.random.Generator(np.random.MT19937(1)))
    },
    "SFC64 in augment": lambda: {
        "augment": functools.partial(noise, rng=np.random.Generator(np.random.SFC64(1)))
    },
    "slots": lambda: {"augment": Slotted()},
    "a class": lambda: {"augment": Shared()},
    "methods of a base class": lambda: {"train": loader(dataset=Child(), shuffle=True)},
    "a Sobol sequence": lambda: {"augment": Sobol()},
    "logs": lambda: {"augment": Logs()},
    "a bound method": lambda: {"augment": Slotted().__call__},
    "a generator of the module, in a helper": lambda: {"augment": counts_calls},
    "a closure that counts and spawns": lambda: {"augment": closes_over()},
    "a generator that spawns": lambda: {"augment": spawns()},
    "a sampler with random.Random": lambda: {"train": loader(sampler=Shuffled())},
    "a data set with default_rng": lambda: {"train": batches_of_numbers(np.random.default_rng(0))},
    "a data set given as it is": lambda: {"train": Noisy(np.random.RandomState(3)), "batch_size": 8},
    "a data set that changes": lambda: {"train": Permutes(), "batch_size": 8},
    "batches that count epochs": lambda: {"train": CountsEpochs()},
    "batches that count later": lambda: {"train": CountsLater()},
    "a stream that counts epochs": lambda: {"train": loader(dataset=Streams())},
    "workers": lambda: {
        "train": loader(dataset=Noisy(np.random.RandomState(3)), shuffle=True, num_workers=2)
    },
    "a loss that draws": lambda: {"loss": drawn_loss()},
    "a penalty that draws": lambda: {
        "penalty": lambda model: GLOBAL.random() * model[0].weight.square().sum()
    },
    "a schedule that draws": lambda: {
        "schedule": functools.partial(lambda rng, step: rng.random(), random.Random(2))
    },
    "a validation that draws": lambda: {"validation": Noisy(np.random.default_rng(5))},
    "parts of the model": lambda: {
        "parts": [Drops(), Dropout(0.3, generator=torch.Generator().manual_seed(4))]
    },
}


def run(fit: Callable[..., Any], make: Callable[[], dict[str, Any]], epochs: list[int], path: Path) -> Any:
    """The weights and the history of a run, in one go or in several, all made anew in each."""
    path.unlink(missing_ok=True)
    for number, last in enumerate(epochs):
        global COUNT, GLOBAL
        COUNT, GLOBAL = 0, random.Random(3)
        Shared.calls, Shared.rng = 0, np.random.default_rng(6)
        torch.manual_seed(1)
        np.random.seed(1)  # noqa: NPY002
        random.seed(1)
        how: dict[str, Any] = {"train": (X, Y), "loss": losses.cross_entropy} | make()
        model = nn.Sequential(nn.Linear(6, 6), *how.pop("parts", []), nn.Linear(6, 2))
        history = fit(model, optimizer=SGD(model.parameters(), lr=0.1, momentum=0.9), epochs=last,
                      checkpoint=path, resume=number > 0, progress=False, **how)  # fmt: skip
    return [p.detach() for p in model.parameters()], history.rows


def check_case(name: str, fit: Callable[..., Any], path: Path) -> None:
    whole = run(fit, CASES[name], [4], path)
    assert same(run(fit, CASES[name], [4], path), whole), "this case is not repeatable itself"
    for stops in ([2, 4], [1, 2, 3, 4]):
        assert same(run(fit, CASES[name], stops, path), whole), stops


@pytest.mark.parametrize("name", CASES)
def test_resumed_bit_for_bit(name: str, tmp_path: Path) -> None:
    check_case(name, fit, tmp_path / "run.pt")


def test_the_cases_draw() -> None:
    """Each of them differs from the run beside it, or the test above shows nothing."""
    plain: dict[str, Any] = {"train": (X, Y), "loss": losses.cross_entropy, "epochs": 1, "progress": False}
    for name, make in CASES.items():
        results = []
        for how in (plain, plain | make()):
            how = dict(how)
            torch.manual_seed(1)
            parts = how.pop("parts", [])
            model = nn.Sequential(nn.Linear(6, 6), *parts, nn.Linear(6, 2))
            history = fit(model, optimizer=SGD(model.parameters(), lr=0.1), **how)
            results.append(([p.detach() for p in model.parameters()], history.rows))
        assert not same(*results), name


class Holds:
    def __init__(self, **what: Any) -> None:
        self.__dict__.update(what)

    def __call__(self, x: Tensor) -> Tensor:
        return x


REFUSED: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "generator": (lambda: {"augment": Holds(noise=(k for k in range(9)))}, "no iterator at augment.noise"),
    "count": (lambda: {"augment": Holds(k=[itertools.count()])}, "no iterator at augment.k[0] in a run"),
    "iterator": (lambda: {"train": iter([(X, Y)])}, "no iterator at train in a run with a checkpoint"),
    "workers": (lambda: {"train": loader(num_workers=1, persistent_workers=True)},
                "need workers of train that end with the epoch, got persistent_workers=True"),
    "system": (lambda: {"augment": Holds(rng=random.SystemRandom())},
               "need a generator with a state at augment.rng"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(name: str, tmp_path: Path) -> None:
    make, message = REFUSED[name]
    with pytest.raises(ValueError, match=re.escape(message)):
        run(fit, make, [1], tmp_path / "run.pt")
    assert not (tmp_path / "run.pt").exists()


def test_a_generator_that_only_one_of_the_runs_has_is_refused_by_name() -> None:
    with_one = Randomness({"augment": Holds(rng=random.Random(1))})
    without = Randomness({"augment": Holds(rng=None)})
    torch.manual_seed(4)
    before = torch.get_rng_state()
    for here, there in ((with_one, without), (without, with_one)):
        state = here.state_dict()
        torch.manual_seed(5)
        with pytest.raises(ValueError, match=r"need the generators .*, got only_in_one=\['augment.rng'\]"):
            there.load_state_dict(state)
        torch.set_rng_state(before)


def test_only_what_changed_is_stored_and_put_back() -> None:
    held = {
        "epoch": 0,
        "name": "a",
        "order": [1, 2],
        "x": torch.zeros(2),
        "big": torch.zeros(10**6),
        "f": None,
    }
    before = Randomness({"train": Holds(**held)})
    assert before.state_dict()["written"] == before.state_dict()["replaced"] == {}
    held = {
        "epoch": 0,
        "name": "a",
        "order": [1, 2],
        "x": torch.zeros(2),
        "big": torch.zeros(10**6),
        "f": None,
    }
    thing: Any = Holds(**held)
    run = Randomness({"train": thing})
    thing.epoch, thing.name, thing.f = 3, "b", np.float32(0.5)
    thing.order.reverse()
    thing.x += 1
    state = run.state_dict()
    assert state["replaced"] == {"train.epoch": 3, "train.name": "b", "train.f": 0.5}
    assert same(state["written"], {"train.order": [2, 1], "train.x": torch.ones(2)})
    again: Any = Holds(epoch=0, name="a", order=[1, 2], x=torch.zeros(2), big=held["big"], f=None)
    order, x = again.order, again.x
    Randomness({"train": again}).load_state_dict(state)
    assert (again.epoch, again.name, again.f) == (3, "b", 0.5)
    assert (order, x.tolist()) == ([2, 1], [1, 1])
    assert again.order is order
    assert again.x is x


def test_what_keeps_its_own_state_is_not_stored_twice(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(6, 200), nn.BatchNorm1d(200), nn.Linear(200, 2))
    path = tmp_path / "run.pt"
    fit(model, (X, Y), optimizer=SGD(model.parameters(), lr=0.1, momentum=0.9), loss=losses.cross_entropy,
        epochs=2, checkpoint=path, penalty=lambda m: model[0].weight.sum())  # fmt: skip
    kept = torch.load(path, weights_only=True)["randomness"]
    assert kept["written"] == kept["replaced"] == {}


# Where it looks


def made(x: Tensor) -> Tensor:
    return x + torch.rand(x.shape, generator=GENERATOR)


def calls_another(x: Tensor) -> Tensor:
    return torch.stack([made(row) for row in x])


GENERATOR = torch.Generator().manual_seed(1)


def test_generators_are_found_wherever_a_run_may_hold_them() -> None:
    g = [torch.Generator().manual_seed(k) for k in range(9)]
    closed_over = g[1]
    partial = functools.partial(torch.rand, 3, generator=g[3])
    module = nn.Sequential(RandomHorizontalFlip(generator=g[4]))

    def default(x: Tensor, generator: torch.Generator = g[5], *, other: torch.Generator = g[8]) -> Tensor:
        return x + torch.rand(x.shape, generator=generator)

    class Holder(nn.Module):
        def __init__(self, generator: torch.Generator) -> None:
            super().__init__()
            self.draws = [generator]

        def call(self, x: Tensor) -> Tensor:
            return x

    shuffling = DataLoader(TensorDataset(torch.zeros(3)), shuffle=True, generator=g[7])
    things = {"generator": g[0], "closure": lambda: closed_over, "dict": {"a": (g[2],)}, "partial": partial}
    things |= {"module": module, "default": default, "method": Holder(g[6]).call, "train": shuffling}
    things |= {"augment": calls_another}
    found = {v.name: v.value for v in variables(things) if isinstance(v.value, torch.Generator)}
    assert sorted(map(id, found.values())) == sorted([*map(id, g), id(GENERATOR)])
    assert found["closure.closed_over"] is g[1]
    assert found["dict['a'][0]"] is g[2]
    assert found["module.0.generator"] is g[4]
    assert found["augment.made.GENERATOR"] is GENERATOR


@pytest.mark.filterwarnings("ignore:.torch.jit.script_method:DeprecationWarning")
def test_a_compiled_module_is_looked_through() -> None:
    generator = torch.Generator()
    compiled = torch.compile(nn.Sequential(Dropout(0.5, generator=generator)))
    found = {v.name: v.value for v in variables({"model": compiled})}
    assert found["model._orig_mod.0.generator"] is generator


def test_a_name_that_has_no_value_yet_is_passed_over() -> None:
    def outer() -> Callable[[], Any]:
        def inner() -> Any:
            return later

        assert next(v.name for v in variables({"f": inner})) == "f"
        later = torch.Generator()
        return inner

    assert any(isinstance(v.value, torch.Generator) for v in variables({"f": outer()}))


def test_data_are_not_looked_through() -> None:
    names = [v.name for v in variables({"long": [Holds(k=k) for k in range(2000)], "text": ["a"] * 5000})]
    assert names == ["long", "text"]


def resuming(case: str) -> Callable[[Any, Path], None]:
    def run(changed: Any, folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(randomness, "variables", changed.variables)
            if hasattr(changed, "Randomness"):
                patch.setattr("course_utils.training.checkpoint.Randomness", changed.Randomness)
            check_case(case, fit, folder / "run.pt")

    return run


MUTANTS = [
    pytest.param("variables", "        yield Variable(f\"{name}.{base.__name__}\", base)\n", "        pass\n",
                 resuming("methods of a base class"), id="bases-passed-over"),
    pytest.param("variables", "functools.partial(setattr, cls, attribute)", "None", resuming("a class"),
                 id="classes-not-written"),
    pytest.param("variables", "    for constant in code.co_consts:\n", "    for constant in ():\n",
                 resuming("a generator of the module, in a helper"), id="not-in-inner-functions"),
    pytest.param("variables", "functools.partial(setattr, cell, ", "(lambda *_: None) or (cell, ",
                 resuming("a closure that counts and spawns"), id="closures-not-written"),
    pytest.param("randomness", "_spawn(generator, state)", "pass",
                 resuming("a closure that counts and spawns"),
                 id="children-not-counted"),
    pytest.param("randomness", "in state[\"written\"].items():\n", "in ():\n",
                 resuming("a sampler with random.Random"), id="lists-not-written"),
    pytest.param("randomness", "            _replace(here, name, stored)\n", "            pass\n",
                 resuming("batches that count epochs"), id="counters-not-put-back"),
    pytest.param("randomness", "generator.bit_generator.state = _as_arrays(state[\"bits\"])", "pass",
                 resuming("default_rng in augment"), id="numpy-not-put-back"),
]  # fmt: skip


test_mistakes_are_caught = mistakes(
    "course_utils.training", MUTANTS, fixtures=["tmp_path"], also=(ValueError,)
)
