"""Surfaces to descend: each with its gradient in closed form, its minima, and where to look at it.

    problem = rosenbrock()
    problem(p)                           p: (..., 2), a point, a path or a whole grid at once -> (...)
    problem.grad(p)                      -> (..., 2)
    noisy(problem, 0.1, generator=g)     the same surface, seen through gradient noise

The tensors of a problem are float64; a value or gradient has the dtype and device of the point asked about.
Gradients are written out, not taken by autograd, but autograd goes through `problem(p)` and agrees.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from course_utils._checks import require


def _points(*points: Sequence[float]) -> Tensor:
    return torch.tensor(points, dtype=torch.float64)


def _none(dim: int = 2) -> Tensor:
    return torch.zeros(0, dim, dtype=torch.float64)


@dataclass(frozen=True, eq=False)
class Problem:
    """A function of a point with all that a lesson says about it.

    `f` and `grad` take points of shape (..., d). `minima` (k, d) are all the global minima, k = 0 where the
    function has no lower bound. `saddles` (k, d) are stationary points that are no extremum, where known in
    closed form. `bounds` ((low, high), one pair per coordinate) is the region worth drawing, and `start` (d,)
    a usual or telling place to begin. `source` says who posed it, or what it is.
    """

    name: str
    f: Callable[[Tensor], Tensor]
    grad: Callable[[Tensor], Tensor]
    minima: Tensor
    bounds: tuple[tuple[float, float], ...]
    start: Tensor
    source: str
    saddles: Tensor = field(default_factory=_none)

    def __call__(self, p: Tensor) -> Tensor:
        return self.f(p)

    @property
    def dim(self) -> int:
        """Number of coordinates, d."""
        return len(self.start)


def quadratic(eigenvalues: Sequence[float] = (1.0, 10.0), *, angle: float = 0.0) -> Problem:
    """A bowl, 1/2 p^T A p: the eigenvalues of A are its curvatures, L the largest and mu the smallest.

    Args:
        eigenvalues: the curvatures, all > 0, one per dimension.
        angle: turns the first two eigenvectors away from the first two axes, in radians; 0 in one dimension.
    Raises: ValueError if an argument is out of range.
    """
    d = len(eigenvalues)
    require(d >= 1, "at least one eigenvalue", eigenvalues=tuple(eigenvalues))
    require(all(0 < e < math.inf for e in eigenvalues), "eigenvalues > 0", eigenvalues=tuple(eigenvalues))
    require(d >= 2 or angle == 0, "two eigenvalues for an angle", eigenvalues=tuple(eigenvalues), angle=angle)
    q = torch.eye(d, dtype=torch.float64)
    if d >= 2:
        c, s = math.cos(angle), math.sin(angle)
        q[:2, :2] = _points((c, -s), (s, c))  # columns: eigenvectors
    a = q * torch.tensor(eigenvalues, dtype=torch.float64) @ q.T

    def grad(p: Tensor) -> Tensor:
        return _point(p, d) @ a.to(p)  # A is symmetric: p A = A p

    return Problem(
        name="quadratic",
        f=lambda p: (p * grad(p)).sum(-1) / 2,
        grad=grad,
        minima=torch.zeros(1, d, dtype=torch.float64),
        bounds=((-4.0, 4.0),) * d,
        start=torch.full((d,), 3.0, dtype=torch.float64),
        source="Polyak (1964)",
        saddles=_none(d),
    )


def ravine(condition: float = 100.0, *, angle: float = 0.0) -> Problem:
    """A long valley with a straight, gently falling floor: curvature 1 along it, `condition` across.

    Along the axes a step size per coordinate undoes it; turned by `angle` (radians) it does not.

    Raises: ValueError unless condition >= 1.
    """
    require(1 <= condition < math.inf, "condition >= 1", condition=condition)
    c, s = math.cos(angle), math.sin(angle)
    x, y = -3.5, 0.5  # far along the floor, some way up the wall
    start = torch.tensor((c * x - s * y, s * x + c * y), dtype=torch.float64)
    return replace(quadratic((1.0, condition), angle=angle), name="ravine", start=start)


def rosenbrock(a: float = 1.0, b: float = 100.0) -> Problem:
    """A curved valley, (a - x)^2 + b (y - x^2)^2: the floor is found at once, then followed slowly.

    Raises: ValueError unless b > 0.
    """
    require(0 < b < math.inf, "b > 0", b=b)

    def f(p: Tensor) -> Tensor:
        x, y = _xy(p)
        return (a - x) ** 2 + b * (y - x**2) ** 2

    def grad(p: Tensor) -> Tensor:
        x, y = _xy(p)
        return torch.stack([-2 * (a - x) - 4 * b * x * (y - x**2), 2 * b * (y - x**2)], -1)

    bounds = ((min(-2.0, a - 1), max(2.0, a + 1)), (-1.0, max(3.0, a**2 + 2)))
    return Problem(
        "rosenbrock", f, grad, _points((a, a**2)), bounds, _points((-1.2, 1))[0], "Rosenbrock (1960)"
    )


def beale() -> Problem:
    """Flat in the middle, steep at the corners: sum over i = 1, 2, 3 of (a_i - x + x y^i)^2."""
    terms = ((1.5, 1), (2.25, 2), (2.625, 3))

    def f(p: Tensor) -> Tensor:
        x, y = _xy(p)
        return torch.stack([(a - x + x * y**i) ** 2 for a, i in terms]).sum(0)

    def grad(p: Tensor) -> Tensor:
        x, y = _xy(p)
        dx = torch.stack([2 * (a - x + x * y**i) * (y**i - 1) for a, i in terms]).sum(0)
        dy = torch.stack([2 * (a - x + x * y**i) * x * i * y ** (i - 1) for a, i in terms]).sum(0)
        return torch.stack([dx, dy], -1)

    source = "Beale (1958); start from Moré, Garbow & Hillstrom (1981)"
    bounds = ((-4.5, 4.5), (-4.5, 4.5))
    return Problem("beale", f, grad, _points((3, 0.5)), bounds, _points((1, 1))[0], source, _points((0, 1)))


def himmelblau() -> Problem:
    """Four equally good minima, (x^2 + y - 11)^2 + (x + y^2 - 7)^2: the start decides which is found."""

    def f(p: Tensor) -> Tensor:
        x, y = _xy(p)
        return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2

    def grad(p: Tensor) -> Tensor:
        x, y = _xy(p)
        u, v = x**2 + y - 11, x + y**2 - 7
        return torch.stack([4 * x * u + 2 * v, 2 * u + 4 * y * v], -1)

    minima = _points(
        (3, 2),
        (-2.805118086952745, 3.131312518250573),
        (-3.779310253377747, -3.283185991286170),
        (3.584428340330492, -1.848126526964404),
    )
    return Problem("himmelblau", f, grad, minima, ((-5.0, 5.0),) * 2, _points((0, 0))[0], "Himmelblau (1972)")


def saddle() -> Problem:
    """Down one way and up the other, (x^2 - y^2) / 2: descent stays only if it starts at y = 0 exactly."""

    def f(p: Tensor) -> Tensor:
        x, y = _xy(p)
        return (x**2 - y**2) / 2

    def grad(p: Tensor) -> Tensor:
        x, y = _xy(p)
        return torch.stack([x, -y], -1)

    bounds = ((-2.0, 2.0),) * 2
    start = _points((1.5, 1e-3))[0]
    return Problem("saddle", f, grad, _none(), bounds, start, "the simplest saddle", _points((0, 0)))


def monkey_saddle() -> Problem:
    """Three ways down and three up, x^3 - 3 x y^2: at the origin the curvature is zero too."""

    def f(p: Tensor) -> Tensor:
        x, y = _xy(p)
        return x**3 - 3 * x * y**2

    def grad(p: Tensor) -> Tensor:
        x, y = _xy(p)
        return torch.stack([3 * x**2 - 3 * y**2, -6 * x * y], -1)

    start, source = _points((0.8, 1e-3))[0], "Hilbert & Cohn-Vossen (1932)"
    return Problem("monkey saddle", f, grad, _none(), ((-1.5, 1.5),) * 2, start, source, _points((0, 0)))


def plateau(width: float = 1.0) -> Problem:
    """A hole in a plain, 1 - exp(-r^2 / (2 width^2)): far from it the gradient says next to nothing.

    Raises: ValueError unless width > 0.
    """
    require(0 < width < math.inf, "width > 0", width=width)

    def f(p: Tensor) -> Tensor:
        return -torch.expm1(-(_point(p, 2) ** 2).sum(-1) / (2 * width**2))

    def grad(p: Tensor) -> Tensor:
        r2 = (_point(p, 2) ** 2).sum(-1, keepdim=True)
        return p / width**2 * torch.exp(-r2 / (2 * width**2))

    reach = 4.0 * width
    start = _points((3.0 * width, 2.0 * width))[0]
    return Problem("plateau", f, grad, _points((0, 0)), ((-reach, reach),) * 2, start, "an upturned Gaussian")


def rastrigin(dim: int = 2) -> Problem:
    """A bowl with an egg-box on it, sum of x^2 + 10 (1 - cos(2 pi x)): a minimum near each whole point.

    Raises: ValueError unless dim >= 1.
    """
    require(isinstance(dim, int) and dim >= 1, "an integer dim >= 1", dim=dim)

    def f(p: Tensor) -> Tensor:
        return (_point(p, dim) ** 2 + 10 * (1 - torch.cos(2 * math.pi * p))).sum(-1)

    def grad(p: Tensor) -> Tensor:
        return 2 * _point(p, dim) + 20 * math.pi * torch.sin(2 * math.pi * p)

    minima, start = torch.zeros(1, dim, dtype=torch.float64), torch.full((dim,), 2.6, dtype=torch.float64)
    return Problem(
        "rastrigin", f, grad, minima, ((-5.12, 5.12),) * dim, start, "Rastrigin (1974)", _none(dim)
    )


def styblinski_tang(dim: int = 2) -> Problem:
    """One deep basin and 2^dim - 1 shallower ones, 1/2 sum of x^4 - 16 x^2 + 5 x.

    Raises: ValueError unless dim >= 1.
    """
    require(isinstance(dim, int) and dim >= 1, "an integer dim >= 1", dim=dim)

    def f(p: Tensor) -> Tensor:
        x = _point(p, dim)
        return (x**4 - 16 * x**2 + 5 * x).sum(-1) / 2

    def grad(p: Tensor) -> Tensor:
        return 2 * _point(p, dim) ** 3 - 16 * p + 2.5

    minima = torch.full((1, dim), -2.903534027771177, dtype=torch.float64)  # least root of 2 x^3 - 16 x + 2.5
    start, source = torch.full((dim,), 0.5, dtype=torch.float64), "Styblinski & Tang (1990)"
    return Problem("styblinski-tang", f, grad, minima, ((-5.0, 5.0),) * dim, start, source, _none(dim))


def noisy(problem: Problem, sigma: float, *, generator: torch.Generator) -> Problem:
    """The same surface with a gradient of grad(p) + sigma * noise, standard normal and fresh at every call.

    `problem(p)` stays exact, so that progress can be measured. `noisy(quadratic((1.0, 10.0)), 1.0,
    generator=g)` is the noisy quadratic on which the noise ball of SGD can be computed.

    Args:
        problem: any surface.
        sigma: standard deviation of each coordinate's noise, >= 0, in units of the gradient.
        generator: where the draws come from; a CPU generator, whatever the device of p.
    Raises: ValueError unless sigma >= 0.
    """
    require(0 <= sigma < math.inf, "sigma >= 0", sigma=sigma)

    def grad(p: Tensor) -> Tensor:
        g = problem.grad(p)
        return g + sigma * torch.randn(g.shape, generator=generator, dtype=torch.float64).to(g)

    return replace(problem, name=f"noisy {problem.name}", grad=grad)


def _point(p: Tensor, dim: int) -> Tensor:
    require(p.dim() >= 1 and p.shape[-1] == dim, f"points of shape (..., {dim})", shape=tuple(p.shape))
    require(p.is_floating_point(), "points of a floating type", dtype=p.dtype, cure="call p.double()")
    return p


def _xy(p: Tensor) -> tuple[Tensor, Tensor]:
    x, y = _point(p, 2).unbind(-1)
    return x, y


SURFACES: dict[str, Callable[[], Problem]] = {
    "quadratic": quadratic,
    "ravine": ravine,
    "rosenbrock": rosenbrock,
    "beale": beale,
    "himmelblau": himmelblau,
    "saddle": saddle,
    "monkey_saddle": monkey_saddle,
    "plateau": plateau,
    "rastrigin": rastrigin,
    "styblinski_tang": styblinski_tang,
}
"""Every surface by name, each callable without arguments: for menus, and for tests that want them all."""
