"""What a run draws from and counts with, beside its weights, to be put back where it was."""

from __future__ import annotations

import random
import types
import zlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from course_utils._checks import require
from course_utils.training.variables import Variable, is_plain, is_plain_list, variables

State = dict[str, Any]
_GENERATORS = (
    torch.Generator,
    np.random.Generator,
    np.random.RandomState,
    np.random.SeedSequence,
    random.Random,
)


class Randomness:
    """The generators of a run, and the variables that it changes.

    Kept are the global generators of torch, NumPy and Python, every generator of theirs that `things` hold,
    and what these change as the run goes on: numbers, text, lists of them, arrays and tensors (the epochs
    that a sampler counts, an order that it shuffles in place). `variables` says where it looks.

    Args:
        things: what the run draws from, by name.
        known: objects that keep their own state, as the weights of a model.
    Raises: ValueError for what can neither be read nor put back, by name: an iterator, loader workers that
        persist, the generator of the operating system.
    """

    def __init__(self, things: dict[str, object], known: Iterable[object] = ()) -> None:
        self._things, self._known = things, list(known)
        self._before = {variable.name: variable for variable in self._look()}
        self._tokens = {name: _token(variable.value) for name, variable in self._before.items()}

    def state_dict(self) -> State:
        """Plain numbers and tensors, which `torch.load(..., weights_only=True)` accepts."""
        generators: State = {}
        written: State = {}
        replaced: State = {}
        for variable in self._look():
            name, value = variable.name, variable.value
            if isinstance(value, _GENERATORS):
                generators[name] = _state_of(value)
            elif (token := _token(value)) is not None and token != self._tokens.get(name):
                same = name in self._before and self._before[name].value is value
                # What lists and dicts have gained, as a log does, has no place in the run that goes on.
                if name in self._before or not name.endswith("]"):
                    (written if same else replaced)[name] = _stored(value)
        return {
            "generators": generators,
            "written": written,
            "replaced": replaced,
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "numpy": _as_lists(np.random.get_state(legacy=False)),  # noqa: NPY002 - the user's code may draw from it
            "python": random.getstate(),
        }

    def load_state_dict(self, state: State) -> None:
        """Put everything back where `state_dict` found it.

        Raises: ValueError, by name, where the run that is resumed had another generator; nothing is changed.
        """
        here = {variable.name: variable for variable in self._look()}
        ours = {name for name, variable in here.items() if isinstance(variable.value, _GENERATORS)}
        apart = sorted(ours ^ state["generators"].keys())
        cure = "give the same arguments, newly made, each with its generator from the start"
        require(not apart, "the generators of the run that is resumed", cure=cure, only_in_one=apart)
        for name, position in state["generators"].items():
            _put_state(here[name].value, position)
        for name, stored in state["written"].items():
            if name in here:
                _write(here[name], stored)
        for name, stored in state["replaced"].items():
            _replace(here, name, stored)
        torch.set_rng_state(state["torch"])
        if torch.cuda.is_available() and state["cuda"]:
            torch.cuda.set_rng_state_all(state["cuda"])  # pragma: no cover  (a GPU's)
        np.random.set_state(_as_arrays(state["numpy"]))  # noqa: NPY002
        random.setstate(state["python"])

    def _look(self) -> list[Variable]:
        kept_variables = list(variables(self._things, self._known))
        for variable in kept_variables:
            _check(variable)
        return kept_variables


def _check(variable: Variable) -> None:
    name, value = variable.name, variable.value
    iterator = isinstance(value, types.GeneratorType) or (
        hasattr(type(value), "__next__") and type(value).__module__ in ("builtins", "itertools")
    )
    cure = f"hold a list and count the position, or train without checkpoint= ({name})"
    require(
        not iterator,
        f"no iterator at {name} in a run with a checkpoint",
        cure=cure,
        iterator=type(value).__name__,
    )
    lasting = isinstance(value, DataLoader) and value.persistent_workers and value.num_workers > 0
    cure = (
        "pass persistent_workers=False, or train without checkpoint=: what workers have drawn cannot be read"
    )
    require(not lasting, f"workers of {name} that end with the epoch", cure=cure, persistent_workers=True)
    cure = "use random.Random(seed), or train without checkpoint="
    require(not isinstance(value, random.SystemRandom), f"a generator with a state at {name}", cure=cure)


def _state_of(generator: Any) -> Any:
    if isinstance(generator, torch.Generator):
        return generator.get_state()
    if isinstance(generator, np.random.Generator):
        spawned = generator.bit_generator.seed_seq
        return {"bits": _as_lists(generator.bit_generator.state), "spawned": _spawned(spawned)}
    if isinstance(generator, np.random.RandomState):
        return _as_lists(generator.get_state(legacy=False))
    if isinstance(generator, np.random.SeedSequence):
        return _spawned(generator)
    return generator.getstate()


def _put_state(generator: Any, state: Any) -> None:
    if isinstance(generator, torch.Generator):
        generator.set_state(state)
    elif isinstance(generator, np.random.Generator):
        generator.bit_generator.state = _as_arrays(state["bits"])
        _spawn(generator.bit_generator.seed_seq, state["spawned"])
    elif isinstance(generator, np.random.RandomState):
        generator.set_state(_as_arrays(state))
    elif isinstance(generator, np.random.SeedSequence):
        _spawn(generator, state)
    else:
        generator.setstate(state)


def _spawned(sequence: Any) -> int:
    return int(getattr(sequence, "n_children_spawned", 0))


def _spawn(sequence: Any, count: int) -> None:
    # The count cannot be set, only raised.
    if (missing := count - _spawned(sequence)) > 0:
        sequence.spawn(missing)


def _as_lists(state: Any) -> Any:
    """Arrays in nested dicts as lists, with the name of their kind of number."""
    if isinstance(state, dict):
        return {key: _as_lists(value) for key, value in state.items()}
    return [str(state.dtype), state.tolist()] if isinstance(state, np.ndarray) else state


def _as_arrays(state: Any) -> Any:
    if isinstance(state, dict):
        return {key: _as_arrays(value) for key, value in state.items()}
    return np.array(state[1], dtype=state[0]) if isinstance(state, list) else state


# Values that a run may change: what tells that they have changed, what is stored, and how it is put back.


def _token(value: Any) -> Any:
    """Equal for the same content; None for what is not kept."""
    if is_plain(value):
        return type(value), value
    if is_plain_list(value):
        return id(value), tuple(value)
    if isinstance(value, Tensor):
        return id(value), -1 if value.is_inference() else value._version
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        return id(value), zlib.crc32(np.ascontiguousarray(value).data.cast("B"))
    return None


def _stored(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.array(value))
    if isinstance(value, list):
        return [_stored(one) for one in value]
    return value.item() if isinstance(value, np.generic) else value


def _write(variable: Variable, stored: Any) -> None:
    """Change the object itself: others may hold it, too."""
    value = variable.value
    if isinstance(value, Tensor):
        with torch.no_grad():
            value.copy_(stored)
    elif isinstance(value, np.ndarray):
        value[...] = stored.numpy()
    elif isinstance(value, list):
        value[:] = stored


def _replace(here: dict[str, Variable], name: str, stored: Any) -> None:
    owner, _, attribute = name.rpartition(".")
    if name in here:
        put: Callable[[Any], None] | None = here[name].put
        stored = stored.numpy() if isinstance(here[name].value, np.ndarray) else stored
    elif owner in here and attribute.isidentifier() and hasattr(here[owner].value, "__dict__"):
        # An attribute that is made in the first epoch.
        vars(here[owner].value)[attribute] = stored
        return
    else:
        return
    if put is not None:
        put(stored)
