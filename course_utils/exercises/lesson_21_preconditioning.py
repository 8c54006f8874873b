"""Exercises of lesson 21: which metric makes every valley round?"""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.exercises.engine.model import Exercise, Inputs, Quiz, Wrong


def _draw(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- 1 · a step that never goes up -----------------------------------------------------------------


def downhill_step(g: Tensor, H: Tensor, damping: float) -> Tensor:
    values, vectors = torch.linalg.eigh(H)
    step: Tensor = vectors @ ((vectors.T @ g) / (values.abs() + damping))
    return step


def _plain_newton(g: Tensor, H: Tensor, damping: float) -> Tensor:
    step: Tensor = torch.linalg.solve(H + damping * torch.eye(len(g)).to(g), g)
    return step


def _damping_first(g: Tensor, H: Tensor, damping: float) -> Tensor:
    values, vectors = torch.linalg.eigh(H)
    step: Tensor = vectors @ ((vectors.T @ g) / (values + damping).abs())
    return step


def _damping_after(g: Tensor, H: Tensor, damping: float) -> Tensor:
    values, vectors = torch.linalg.eigh(H)
    step: Tensor = vectors @ ((vectors.T @ g) * (1 / values.abs() + damping))
    return step


def _cut_at_zero(g: Tensor, H: Tensor, damping: float) -> Tensor:
    values, vectors = torch.linalg.eigh(H)
    step: Tensor = vectors @ ((vectors.T @ g) / (values.clamp(min=0) + damping))
    return step


def _entries_absolute(g: Tensor, H: Tensor, damping: float) -> Tensor:
    step: Tensor = torch.linalg.solve(H.abs() + damping * torch.eye(len(g)).to(g), g)
    return step


def _root_of_it(g: Tensor, H: Tensor, damping: float) -> Tensor:
    values, vectors = torch.linalg.eigh(H)
    step: Tensor = vectors @ ((vectors.T @ g) / (values.abs() + damping).sqrt())
    return step


def _multiplied(g: Tensor, H: Tensor, damping: float) -> Tensor:
    values, vectors = torch.linalg.eigh(H)
    step: Tensor = vectors @ ((vectors.T @ g) * (values.abs() + damping))
    return step


def _vectors_as_rows(g: Tensor, H: Tensor, damping: float) -> Tensor:
    values, vectors = torch.linalg.eigh(H)
    step: Tensor = vectors.T @ ((vectors @ g) / (values.abs() + damping))
    return step


def _undamped(g: Tensor, H: Tensor, damping: float) -> Tensor:
    return downhill_step(g, H, 0.0)


def _with_minus(g: Tensor, H: Tensor, damping: float) -> Tensor:
    return -downhill_step(g, H, damping)


def _hessians() -> Inputs:
    def symmetric(n: int, seed: int, values: list[float]) -> Tensor:
        q = torch.linalg.qr(_draw(n, n, seed=seed))[0]
        H: Tensor = q @ torch.tensor(values, dtype=torch.float64).diag() @ q.T
        return H

    double = torch.float64
    return (
        (torch.tensor([1.0, 2.0], dtype=double), torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=double), 0.1),
        (torch.tensor([1.0, -3.0], dtype=double), torch.tensor([[1.0, 0.0], [0.0, -4.0]], dtype=double), 0.5),
        (_draw(3, seed=1), symmetric(3, 2, [5.0, -0.5, -2.0]), 1.0),
        (_draw(4, seed=3), symmetric(4, 4, [100.0, 1.0, 0.01, -0.3]), 0.25),
        (10 * _draw(3, seed=5), symmetric(3, 6, [-1.0, -2.0, -6.0]), 3.0),
        (_draw(5, seed=7), symmetric(5, 8, [3.0, 2.0, -1.0, 0.5, -0.1]), 20.0),
        (torch.tensor([2.0], dtype=double), torch.tensor([[-0.5]], dtype=double), 1.5),
        (torch.zeros(2, dtype=double), torch.tensor([[1.0, 2.0], [2.0, 1.0]], dtype=double), 0.2),
    )


# --- 2 · Shampoo -----------------------------------------------------------------------------------


def _power(matrix: Tensor, exponent: float) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    power: Tensor = (vectors * values.clamp(min=1e-300) ** exponent) @ vectors.T
    return power


def _sides(gradients: list[Tensor], eps: float) -> tuple[Tensor, Tensor]:
    m, n = gradients[0].shape
    left = eps * torch.eye(m, dtype=torch.float64) + torch.stack([g @ g.T for g in gradients]).sum(0)
    right = eps * torch.eye(n, dtype=torch.float64) + torch.stack([g.T @ g for g in gradients]).sum(0)
    return left, right


def shampoo_direction(gradients: list[Tensor], eps: float) -> Tensor:
    left, right = _sides(gradients, eps)
    return _power(left, -0.25) @ gradients[-1] @ _power(right, -0.25)


def _half_each(gradients: list[Tensor], eps: float) -> Tensor:
    left, right = _sides(gradients, eps)
    return _power(left, -0.5) @ gradients[-1] @ _power(right, -0.5)


def _inverses(gradients: list[Tensor], eps: float) -> Tensor:
    left, right = _sides(gradients, eps)
    return _power(left, -1) @ gradients[-1] @ _power(right, -1)


def _fourth_roots(gradients: list[Tensor], eps: float) -> Tensor:
    left, right = _sides(gradients, eps)
    return _power(left, 0.25) @ gradients[-1] @ _power(right, 0.25)


def _left_alone(gradients: list[Tensor], eps: float) -> Tensor:
    return _power(_sides(gradients, eps)[0], -0.5) @ gradients[-1]


def _entry_by_entry(gradients: list[Tensor], eps: float) -> Tensor:
    return gradients[-1] / (eps + torch.stack([g**2 for g in gradients]).sum(0)).sqrt()


def _latest_alone(gradients: list[Tensor], eps: float) -> Tensor:
    return shampoo_direction(gradients[-1:], eps)


def _mean_not_sum(gradients: list[Tensor], eps: float) -> Tensor:
    left, right = _sides([g / len(gradients) ** 0.5 for g in gradients], eps)
    return _power(left, -0.25) @ gradients[-1] @ _power(right, -0.25)


def _one_behind(gradients: list[Tensor], eps: float) -> Tensor:
    left, right = _sides([*gradients[:-1], 0 * gradients[-1]], eps)
    return _power(left, -0.25) @ gradients[-1] @ _power(right, -0.25)


def _sum_of_gradients(gradients: list[Tensor], eps: float) -> Tensor:
    left, right = _sides(gradients, eps)
    return _power(left, -0.25) @ torch.stack(gradients).sum(0) @ _power(right, -0.25)


def _eps_each_time(gradients: list[Tensor], eps: float) -> Tensor:
    left, right = _sides(gradients, eps * len(gradients))
    return _power(left, -0.25) @ gradients[-1] @ _power(right, -0.25)


def _eps_after(gradients: list[Tensor], eps: float) -> Tensor:
    left, right = _sides(gradients, 1e-12)
    m, n = gradients[0].shape
    return (
        (_power(left, -0.25) + eps * torch.eye(m).double())
        @ gradients[-1]
        @ (_power(right, -0.25) + eps * torch.eye(n).double())
    )


def _histories() -> Inputs:
    return (
        ([_draw(2, 2, seed=1)], 0.1),
        ([_draw(3, 3, seed=k) for k in (2, 3, 4)], 0.01),
        ([_draw(2, 4, seed=k) for k in (5, 6, 7, 8)], 0.5),
        ([3 * _draw(4, 2, seed=k) for k in (9, 10)], 0.05),
        ([_draw(1, 3, seed=11), 0.1 * _draw(1, 3, seed=12)], 0.2),
        ([torch.zeros(2, 3, dtype=torch.float64), _draw(2, 3, seed=13)], 0.3),
        ([_draw(2, 2, seed=14), torch.zeros(2, 2, dtype=torch.float64)], 0.1),
    )


# --- 3 · name the fault ----------------------------------------------------------------------------

FAULTS = ("none", "half", "left only", "entrywise", "plain gradient")


def _steps(G: Tensor) -> dict[str, Tensor]:
    u, s, vt = torch.linalg.svd(G, full_matrices=False)
    return {
        "none": u @ vt,
        "half": u @ (1 / s).diag() @ vt,
        "left only": u @ s.sqrt().diag() @ vt,
        "entrywise": G.sign(),
        "plain gradient": G,
    }


def name_fault(G: Tensor, step: Tensor) -> str:
    distances = {name: float((made - step).norm()) for name, made in _steps(G).items()}
    return min(distances, key=lambda name: distances[name])


def _by_singular_values(G: Tensor, step: Tensor) -> str:
    """Looks at the largest singular value alone."""
    tops = {name: float(torch.linalg.svdvals(made)[0]) for name, made in _steps(G).items()}
    top = float(torch.linalg.svdvals(step)[0])
    return min(tops, key=lambda name: abs(tops[name] - top))


def _by_length(G: Tensor, step: Tensor) -> str:
    lengths = {name: float(made.norm()) for name, made in _steps(G).items()}
    return min(lengths, key=lambda name: abs(lengths[name] - float(step.norm())))


def _by_direction(G: Tensor, step: Tensor) -> str:
    def cosine(made: Tensor) -> float:
        return float((made * step).sum() / made.norm() / step.norm())

    made = _steps(G)
    return max(made, key=lambda name: cosine(made[name]))


def _never_the_sign(G: Tensor, step: Tensor) -> str:
    found = name_fault(G, step)
    return "none" if found == "entrywise" else found


def _half_for_left(G: Tensor, step: Tensor) -> str:
    return {"left only": "half", "half": "left only"}.get(name_fault(G, step), name_fault(G, step))


def _orthogonal_or_half(G: Tensor, step: Tensor) -> str:
    found = name_fault(G, step)
    return found if found in ("none", "half") else "plain gradient"


def _broken() -> Inputs:
    def seen(G: Tensor, name: str, noise: float, seed: int) -> tuple[Tensor, Tensor]:
        step = _steps(G)[name]
        return G, step + noise * step.norm() * _draw(*G.shape, seed=seed) / G.numel() ** 0.5

    def made(values: list[float], seed: int, tall: int = 0) -> Tensor:
        n = len(values)
        u, v = (
            torch.linalg.qr(_draw(n + tall, n, seed=seed))[0],
            torch.linalg.qr(_draw(n, n, seed=seed + 1))[0],
        )
        G: Tensor = u @ torch.tensor(values, dtype=torch.float64).diag() @ v.T
        return G

    cases = (
        (0.3 * _draw(3, 3, seed=1), 0.02),
        (5 * _draw(3, 4, seed=2), 0.05),
        (made([2.0, 2.0, 2.0], 3), 0.02),  # powers point the same way
        (made([1.0, 0.5], 5), 0.05),  # three of the steps have 1 as their largest singular value
        (made([1.3, 0.557], 7, tall=2), 0.15),  # G is as long as the right step
        (made([0.2, 0.3, 0.25], 9), 0.02),
        # G and its signs have the same singular values
        (torch.tensor([[1.35, 0.4213], [0.4213, -1.35]], dtype=torch.float64), 0.02),
    )
    return tuple(
        seen(G, name, noise, 10 * i + j)
        for i, (G, noise) in enumerate(cases)
        for j, name in enumerate(FAULTS)
    )


# --- 4 · choose for a machine ----------------------------------------------------------------------


def choose(shapes: list[tuple[int, int]], batch: int, numbers: float) -> str:
    weights = sum(m * n for m, n in shapes)
    kept = sum(2 * m * n + 2 * (m * m + n * n) for m, n in shapes)
    extra = sum(8 * m * n * (m + n) for m, n in shapes)
    if weights**2 <= numbers:
        return "full matrix"
    return "SOAP" if kept <= numbers and extra <= 3 * batch * weights else "Adam"


def _choice(
    shapes: list[tuple[int, int]], batch: int, numbers: float, *, per_layer: bool = False, work: bool = True,
    memory: bool = True, sides: float = 2, means: float = 2, product: bool = False, share: float = 3,
    batched: bool = True,
) -> str:  # fmt: skip
    """`choose` with one thing otherwise."""
    weights = sum(m * n for m, n in shapes)
    whole = sum((m * n) ** 2 for m, n in shapes) if per_layer else weights**2
    kept = sum(means * m * n + sides * (m * n if product else m * m + n * n) for m, n in shapes)
    extra = sum(8 * m * n * (m + n) for m, n in shapes)
    if whole <= numbers:
        return "full matrix"
    cheap = extra <= share * (batch if batched else 1) * weights
    return "SOAP" if (kept <= numbers or not memory) and (cheap or not work) else "Adam"


def _squares_by_layer(shapes: list[tuple[int, int]], batch: int, numbers: float) -> str:
    return _choice(shapes, batch, numbers, per_layer=True)


def _work_unasked(shapes: list[tuple[int, int]], batch: int, numbers: float) -> str:
    return _choice(shapes, batch, numbers, work=False)


def _memory_unasked(shapes: list[tuple[int, int]], batch: int, numbers: float) -> str:
    return _choice(shapes, batch, numbers, memory=False)


def _bases_left_out(shapes: list[tuple[int, int]], batch: int, numbers: float) -> str:
    return _choice(shapes, batch, numbers, sides=1)


def _means_left_out(shapes: list[tuple[int, int]], batch: int, numbers: float) -> str:
    return _choice(shapes, batch, numbers, means=0)


def _as_much_as_the_gradient(shapes: list[tuple[int, int]], batch: int, numbers: float) -> str:
    return _choice(shapes, batch, numbers, share=6)


def _batch_forgotten(shapes: list[tuple[int, int]], batch: int, numbers: float) -> str:
    return _choice(shapes, batch, numbers, batched=False)


def _never_full(shapes: list[tuple[int, int]], batch: int, numbers: float) -> str:
    found = choose(shapes, batch, numbers)
    return _choice(shapes, batch, numbers) if found != "full matrix" else "SOAP"


def _machines() -> Inputs:
    layers = [(64, 32), (32, 10)]  # 2,368 weights
    wide = [(1000, 1000), (1000, 10)]
    return (
        (layers, 128, 1e9),
        (layers, 512, 5e6),  # one square for each layer would fit, one for all does not
        (layers, 128, 1e6),
        (layers, 512, 1e6),
        (layers, 300, 1e6),
        (layers, 250, 1e6),  # cheap enough over all layers, not in each
        (layers, 220, 1e6),  # seven operations for eight would pass
        (layers, 115, 1e6),  # cheap enough in the second layer alone
        (layers, 2000, 1e9),  # both would fit
        (layers, 2000, 14_000),
        (layers, 2000, 16_000),
        (layers, 2000, 12_000),
        (layers, 8, 1e5),
        (wide, 4096, 1e8),
        (wide, 8192, 1e8),
        (wide, 8192, 7e6),
        (wide, 8192, 5e6),
        ([(1, 1)], 1, 1),
        ([(1, 1)], 1, 0.5),
        ([(2, 3)], 20, 36),
        ([(2, 3)], 20, 35),
        ([(50_000, 64)], 100_000, 1e9),
        ([(256, 256)], 4096, 1.2e6),
        ([(8, 8)], 64, 384),  # it just fits
        ([(3, 3)], 16, 60),  # as many operations as are allowed
    )


# --- 5 · how fast is Newton where the curvature vanishes? ------------------------------------------


def newton_factor(p: float) -> float:
    return (p - 2) / (p - 1)


def _quadratic(p: float) -> float:
    return 0.0


def _half(p: float) -> float:
    return 0.5


def _without_sign(p: float) -> float:
    return abs((p - 2) / (p - 1))


def _step_not_left(p: float) -> float:
    return 1 / (p - 1)


def _root_finder(p: float) -> float:
    """Newton on f = 0 instead of f' = 0."""
    return (p - 1) / p


def _first_derivative_alone(p: float) -> float:
    return 1 - p


def _other_way(p: float) -> float:
    return p / (p - 1)


EXERCISES = (
    Exercise(
        "21.downhill_step",
        title="A Newton step that never goes up",
        prompt="Return what is subtracted from the weights: (|H| + damping I)⁻¹ g, where |H| has the eigenvectors of H and the "
        "absolute values of its eigenvalues. g: (P,), H: (P, P), symmetric, both float64; damping > 0.",
        kind="core",
        minutes=8,
        inputs=_hessians,
        solution=downhill_step,
        wrong=(
            Wrong(
                _plain_newton,
                "Negative eigenvalues keep their sign here. Along those directions the step goes up.",
            ),
            Wrong(
                _damping_first,
                "The damping was added before the absolute value: it makes a negative curvature smaller in size, "
                "and the step longer.",
            ),
            Wrong(
                _damping_after,
                "The damping was added after the inversion. So it lengthens the step; it should bound it.",
            ),
            Wrong(_cut_at_zero, "Negative eigenvalues became 0 here. They should keep their size."),
            Wrong(
                _entries_absolute, "This took absolute values of the entries of H, not of its eigenvalues."
            ),
            Wrong(_root_of_it, "This divides by the root of the curvature. Newton's step has no root."),
            Wrong(_multiplied, "This multiplies by the curvature. Steep directions need the short steps."),
            Wrong(_vectors_as_rows, "The eigenvectors are the columns of what eigh returns, not the rows."),
            Wrong(_undamped, "The damping is missing."),
            Wrong(_with_minus, "This is what is added. Asked for is what is subtracted."),
        ),
        hints=(
            "values, vectors = torch.linalg.eigh(H): the columns of vectors are the eigenvectors.",
            "vectors.T @ g are the parts of g along them. Divide each by its own number, then turn back.",
            "vectors @ ((vectors.T @ g) / (values.abs() + damping))",
        ),
        stub='''def downhill_step(g, H, damping):
    """(|H| + damping I)⁻¹ g as a tensor (P,); g: (P,), H: (P, P), symmetric, float64; damping: a float > 0."""
    ...
''',
        note="Dauphin et al. (2014) call this step saddle-free Newton. Its price is that of the eigenvectors.",
    ),
    Exercise(
        "21.shampoo_direction",
        title="Shampoo from memory",
        prompt="Given all gradients so far, each (m, n), the newest last, return L^(-1/4) G R^(-1/4) with the newest G, "
        "L = eps I + the sum of all G Gᵀ and R = eps I + the sum of all Gᵀ G.",
        kind="core",
        minutes=8,
        inputs=_histories,
        solution=shampoo_direction,
        wrong=(
            Wrong(_half_each, "Each side has the exponent -1/2. AdaGrad's -1/2 is shared by two sides."),
            Wrong(_inverses, "These are inverses, without a root."),
            Wrong(_fourth_roots, "The roots are there, but not their inverses: steep directions grow."),
            Wrong(_left_alone, "Only L is used, with the whole exponent. R turns the columns."),
            Wrong(_entry_by_entry, "This is AdaGrad, a number for each entry. Shampoo has matrices."),
            Wrong(_latest_alone, "L and R hold the newest gradient only. They are sums over all."),
            Wrong(_mean_not_sum, "L and R are means here. Shampoo adds up."),
            Wrong(_one_behind, "L and R lack the newest gradient. They are updated before the step."),
            Wrong(_sum_of_gradients, "The gradients are summed in the middle, too. There stands the newest."),
            Wrong(_eps_each_time, "eps was added with each gradient. L and R begin with it, once."),
            Wrong(_eps_after, "eps was added after the root: large directions change, small ones explode."),
        ),
        hints=(
            "L = eps * I + sum(G @ G.T for G in gradients), and R with G.T @ G.",
            "A power of a symmetric matrix: torch.linalg.eigh, the power of the eigenvalues, back.",
            "(vectors * values ** -0.25) @ vectors.T, for each side.",
        ),
        stub='''def shampoo_direction(gradients, eps):
    """L^(-1/4) G R^(-1/4), (m, n); gradients: a list of float64 tensors (m, n), the newest last; eps > 0."""
    ...
''',
        note="With one gradient and a tiny eps it is U Vᵀ: Muon's step.",
    ),
    Exercise(
        "21.name_fault",
        title="This Shampoo is broken: find why",
        prompt="Somebody's first step on a gradient G (eps is negligible) came out as `step`, up to a little noise. A right one is U Vᵀ "
        "with G = U Σ Vᵀ. Make the step of each fault and return the nearest (by the root of the sum of squares): "
        '"none", "half" (exponent -1/2 on both sides), "left only" (-1/4 on the left, nothing on the right), '
        '"entrywise" (each entry divided by the root of its own square), "plain gradient".',
        kind="core",
        minutes=10,
        inputs=_broken,
        solution=name_fault,
        wrong=(
            Wrong(_by_singular_values, "The largest singular value decides here. Some faults share it."),
            Wrong(_by_length, "The length of the step decides here. Compare the steps entry by entry."),
            Wrong(
                _by_direction,
                "Only the direction is compared here. Where the singular values are alike, so are the directions.",
            ),
            Wrong(_never_the_sign, "A step of signs passes as right. Its singular values are not all 1."),
            Wrong(_half_for_left, '"half" and "left only" are confused: 1/σ against the root of σ.'),
            Wrong(
                _orthogonal_or_half,
                "Only two of the steps are made here. Make all five before you choose.",
            ),
        ),
        hints=(
            "U, S, Vh = torch.linalg.svd(G, full_matrices=False). Each fault but one keeps U and Vh.",
            "A power a of G Gᵀ on the left multiplies each σ by σ^(2a), the same on the right.",
            '"half": U diag(1 / S) Vh. "left only": U diag(S ** 0.5) Vh. "entrywise": G.sign().',
        ),
        stub='''def name_fault(G, step):
    """One of the five names, a string; G, step: float64 tensors (m, n), G of full rank."""
    ...
''',
        note="One step on a matrix that you can take apart by hand tells more than a thousand on a net.",
    ),
    Exercise(
        "21.choose",
        title="Choose for this machine",
        prompt="Layers have the shapes (m, n); W = the sum of all mn. A full matrix keeps W² numbers. SOAP keeps two means of mn and two "
        "m × m and two n × n matrices for each layer; it adds 8mn(m + n) operations a layer to a gradient of 6·batch·mn. "
        'Return "full matrix" if it fits into `numbers`; else "SOAP" if it fits and its extra operations are at most half of the '
        'gradient\'s, summed over all layers; else "Adam". (Fits: at most as many.)',
        kind="core",
        minutes=8,
        inputs=_machines,
        solution=choose,
        wrong=(
            Wrong(
                _squares_by_layer,
                "You squared layer by layer. A full matrix also mixes weights of different layers.",
            ),
            Wrong(_work_unasked, "The operations are not asked for. At a small batch they are most of it."),
            Wrong(_memory_unasked, "Whether SOAP fits is not asked for."),
            Wrong(_bases_left_out, "SOAP keeps two matrices a side: the sums and their eigenvectors."),
            Wrong(_means_left_out, "Adam's two means are missing in what SOAP keeps."),
            Wrong(
                _as_much_as_the_gradient,
                "Extra operations as many as the gradient's pass here. Half is the limit.",
            ),
            Wrong(_batch_forgotten, "The gradient's operations grow with the batch."),
            Wrong(_never_full, "Where the full matrix fits, it is the answer."),
        ),
        hints=(
            "Three sums over the layers: mn, 2mn + 2(m² + n²), and 8mn(m + n).",
            "Half of the gradient's operations is 3 * batch * W.",
            'if W ** 2 <= numbers: "full matrix"; elif kept <= numbers and extra <= 3 * batch * W: "SOAP".',
        ),
        stub='''def choose(shapes, batch, numbers):
    """ "full matrix", "SOAP" or "Adam"; shapes: a list of (m, n); batch: an int; numbers: what memory holds."""
    ...
''',
        note="For square layers the limit is batch >= 16 m / 3: wide layers want large batches.",
    ),
    Exercise(
        "21.newton_factor",
        title="Where one step is not enough",
        prompt="On f(x) = |x|^p, p > 1, p ≠ 2 included, Newton's method (rate 1, no damping) goes from x to c x, with the same c at each "
        "step and each x ≠ 0. Return c, with its sign, to 0.1 %.",
        kind="extra",
        minutes=15,
        inputs=((4.0,), (3.0,), (2.0,), (1.5,), (1.25,), (1.1,), (10.0,), (2.5,), (1.75,)),
        solution=newton_factor,
        rtol=1e-3,
        atol=1e-9,
        wrong=(
            Wrong(_quadratic, "One step ends it for p = 2 alone."),
            Wrong(_half, "It depends on p. Try p = 4 by hand."),
            Wrong(_without_sign, "The size is right. For p < 2 the step goes past the minimum."),
            Wrong(_step_not_left, "This is the step as a share of x. Asked for is what is left."),
            Wrong(_root_finder, "This is Newton's method for f = 0. Here it seeks f' = 0."),
            Wrong(_first_derivative_alone, "Divide the slope by the curvature, f'/f''."),
            Wrong(_other_way, "The step is subtracted."),
        ),
        hints=(
            "For x > 0: f' = p x^(p-1), f'' = p (p-1) x^(p-2).",
            "The step f'/f'' is x / (p - 1).",
            "c = 1 - 1 / (p - 1).",
        ),
        stub='''def newton_factor(p):
    """The factor c of one Newton step on |x|^p, a float with its sign; p: a float > 1."""
    ...
''',
        note="For p = 4 a third is lost at each step, no more. Below p = 1.5 it runs away: the curvature near the minimum is too large.",
    ),
)

QUIZZES = (
    Quiz(
        "21.newton_ends",
        "Himmelblau's function has four minima, four saddles and one maximum. You start Newton's method, rate 1, at points "
        "of the square from −5 to 5. Where does it end?",
        (
            (
                "At a minimum, nearly always: each step uses the curvature",
                "It uses the curvature with its sign. Where that is negative, the step goes up.",
                False,
            ),
            (
                "Often at a saddle, now and then even at the maximum",
                "It looks for a gradient of zero, whichever way is down.",
                True,
            ),
            (
                "It runs away: near a saddle the steps are huge",
                "A single step may be huge. The next ones come back, to some place where the gradient is zero.",
                False,
            ),
        ),
    ),
    Quiz(
        "21.equal_work",
        "SOAP ends with a lower loss than Adam after the same number of steps, with batches of 128. A step of it costs about twice as many "
        "operations. Now you take batches of 16, and give Adam as many more steps as the same work allows. Who ends lower?",
        (
            (
                "SOAP: its basis is as good as before",
                "The basis may be. But its price does not fall with the batch, and the gradient's does.",
                False,
            ),
            (
                "Neither: the work is the same",
                "The work is, the progress is not: Adam makes many more steps with it.",
                False,
            ),
            (
                "Adam, clearly: it now has many times as many steps",
                "A small batch makes the gradient cheap, and the products with L and R cost what they did.",
                True,
            ),
        ),
    ),
)
