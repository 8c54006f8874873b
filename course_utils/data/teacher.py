"""Examples without end: a net of random weights labels them, with noise, and students learn from it.

    tasks = Teachers(range(8), noise=0.5)
    x, y = tasks.draw(16)                   # 16 new examples for each of 8 seeds
    w = tasks.students(3)                   # first weights of 3 students for each seed
    tanh_net(w, x)                          # (8, 3, 16, 1)
    tasks.excess(w)                         # (8, 3), how far from the teacher they are

No example comes twice, so nothing can be learnt by heart, and what a student is off by is known exactly: the
teacher has no noise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from course_utils._checks import require
from course_utils.data.datasets import Examples

# Seeds of the teachers, of the first weights and of the examples lie far apart.
_STUDENTS, _EXAMPLES = 1_000_000, 2_000_000


def tanh_net(weights: Sequence[Tensor], x: Tensor) -> Tensor:
    """A net with one hidden layer: tanh(x W1 + b1) W2 + b2, for weights and inputs that broadcast.

    Args:
        weights: W1 (..., d, h), b1 (..., 1, h), W2 (..., h, 1), b2 (..., 1, 1).
        x: (..., n, d).
    Returns: (..., n, 1).
    """
    w1, b1, w2, b2 = weights
    return torch.tanh(x @ w1 + b1) @ w2 + b2


class Teachers:
    """For each of S seeds a random net, the examples that it labels, and students that begin alike.

        x ~ N(0, 1),    y = teacher(x) + noise * N(0, 1)
        W1 ~ N(0, 1 / inputs),    b1 ~ N(0, 1/4),    W2 ~ N(0, 1 / hidden),    b2 = 0

    Args:
        seeds: one whole number for each teacher, >= 0. The same seeds give the same teachers, students and,
            in the same order of calls, examples.
        noise: standard deviation of the targets' noise, >= 0.
        inputs, hidden: sizes of teacher and students, >= 1.
        test: examples that `excess` is measured on, >= 1.
    Raises: ValueError if an argument is out of range.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        *,
        noise: float = 0.5,
        inputs: int = 20,
        hidden: int = 32,
        test: int = 1000,
    ) -> None:
        require(len(seeds) >= 1 and min(seeds) >= 0, "seeds >= 0, one or more", seeds=tuple(seeds))
        require(noise >= 0, "noise >= 0", noise=noise)
        require(min(inputs, hidden, test) >= 1, "sizes >= 1", inputs=inputs, hidden=hidden, test=test)
        self.noise, self.seeds = noise, tuple(int(seed) for seed in seeds)
        self._sizes = inputs, hidden
        self._teacher = self._nets(0)
        self._generator = torch.Generator().manual_seed(_EXAMPLES + self.seeds[0])
        self._test = self._inputs(test)
        self._known = tanh_net(self._teacher, self._test)

    def draw(self, n: int) -> Examples:
        """n new examples for each seed: x (S, 1, n, inputs), y (S, 1, n, 1); all students see the same."""
        x = self._inputs(n)
        clean = tanh_net(self._teacher, x)
        return Examples(x, clean + self.noise * torch.randn(clean.shape, generator=self._generator))

    def repeat(self, n: int, batch: int) -> Callable[[int], Examples]:
        """n examples for each seed, once and for all: step -> `batch` of them, in order, then round again."""
        x, y = self.draw(n)

        def of_step(t: int) -> Examples:
            rows = torch.arange(t * batch, (t + 1) * batch) % n
            return Examples(x[:, :, rows], y[:, :, rows])

        return of_step

    def students(self, count: int) -> list[Tensor]:
        """First weights (S, count, ...) of nets as large as the teacher; those of a seed are equal."""
        return [part.repeat(1, count, 1, 1) for part in self._nets(_STUDENTS)]

    @torch.no_grad()
    def excess(self, weights: Sequence[Tensor]) -> Tensor:
        """Mean square of student minus teacher, (S, count), on `test` inputs of its own for each seed.

        It is the loss on new examples less noise², the lowest that there is.
        """
        return (tanh_net(weights, self._test) - self._known).square().mean((-2, -1))

    def _inputs(self, n: int) -> Tensor:
        return torch.randn(len(self.seeds), 1, n, self._sizes[0], generator=self._generator)

    def _nets(self, first: int) -> list[Tensor]:
        """Weights (S, 1, ...), one net for each seed."""
        inputs, hidden = self._sizes
        nets = []
        for seed in self.seeds:
            generator = torch.Generator().manual_seed(first + seed)
            w1 = torch.randn(1, inputs, hidden, generator=generator) / inputs**0.5
            b1 = torch.randn(1, 1, hidden, generator=generator) / 2
            w2 = torch.randn(1, hidden, 1, generator=generator) / hidden**0.5
            nets.append((w1, b1, w2, torch.zeros(1, 1, 1)))
        return [torch.stack(part) for part in zip(*nets, strict=True)]
