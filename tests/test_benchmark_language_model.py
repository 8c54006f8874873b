"""The recorded runs of lesson 23: schedules, methods, what a run measures, and that a store goes on."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from course_utils import data, models, recorded

PATH = Path(__file__).parents[1] / "benchmarks" / "language_model.py"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_language_model", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(benchmark: ModuleType, **given: Any) -> dict[str, Any]:
    plain = {"kind": "characters", "method": "Adam", "lr": 0.02, "steps": 8, "seed": 3}
    found: dict[str, Any] = benchmark.train(**{**plain, **given})
    return found


def test_the_rate_rises_over_the_warm_up_and_falls_to_the_end(benchmark: ModuleType) -> None:
    shares = [benchmark.share_of_rate(t, 10, 4) for t in range(10)]
    wanted = [0.25, 0.5 * 0.9, 0.75 * 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]
    assert shares == pytest.approx(wanted)
    assert benchmark.share_of_rate(0, 10, 0) == 1


def test_muon_has_the_matrices_within_blocks_and_adam_the_rest(benchmark: ModuleType) -> None:
    net = models.Transformer(7, 4, d=8, heads=2, blocks=2)
    muon, adam = benchmark.optimizers(net, "Muon", 0.1, 0.999, 0.0, 0.01)
    names = {id(p): name for name, p in net.named_parameters()}
    inner = {names[id(p)] for p in muon.param_groups[0]["params"]}
    wanted = ("qkv.weight", "out.weight", "mlp.0.weight", "mlp.2.weight")
    assert inner == {f"blocks.{k}.{name}" for k in (0, 1) for name in wanted}
    rest = {names[id(p)] for p in adam.param_groups[0]["params"]}
    assert inner | rest == set(names.values())
    assert not inner & rest


def test_one_v_is_momentum_on_gradients_with_one_unit_a_tensor(benchmark: ModuleType) -> None:
    draw = torch.Generator().manual_seed(0)
    p, m, v = torch.zeros(3, 2, dtype=torch.float64, requires_grad=True), torch.zeros(3, 2), 0.0
    rule, wanted = benchmark.OneV([p], lr=0.1, betas=(0.9, 0.99)), torch.zeros(3, 2)
    for t in range(1, 6):
        g = torch.randn(3, 2, generator=draw, dtype=torch.float64)
        p.grad = g.clone()
        rule.step()
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * float(g.square().mean())
        wanted = wanted - 0.1 * m / (1 - 0.9**t) / ((v / (1 - 0.99**t)) ** 0.5 + 1e-8)
        torch.testing.assert_close(p.detach(), wanted, rtol=1e-12, atol=1e-14)


def test_one_v_in_all_has_one_unit_for_the_whole_net(benchmark: ModuleType) -> None:
    net = torch.nn.Linear(3, 2)
    (rule,) = benchmark.optimizers(net, benchmark.ONE_IN_ALL, 0.1, 0.999, 0.0, 0.0)
    before = [p.detach().clone() for p in net.parameters()]
    for p, g in zip(net.parameters(), (torch.full((2, 3), 2.0), torch.zeros(2)), strict=True):
        p.grad = g
    rule.step()
    # the mean of g**2 over all eight entries is 3
    moved = [a - p.detach() for a, p in zip(before, net.parameters(), strict=True)]
    torch.testing.assert_close(moved[0], torch.full((2, 3), 0.1 * 2 / 3**0.5))
    torch.testing.assert_close(moved[1], torch.zeros(2))


def test_what_is_forgotten_was_as_if_it_had_been_zero(benchmark: ModuleType) -> None:
    def averages(gradients: list[float]) -> tuple[Any, list[Any]]:
        p = torch.zeros(1, dtype=torch.float64, requires_grad=True)
        rule = benchmark.AdamW([p], lr=0.1, betas=(0.8, 0.9), weight_decay=0.0)
        for g in gradients:
            p.grad = torch.full((1,), g, dtype=torch.float64)
            rule.step()
        return rule, [rule.state[p][name].item() for name in ("exp_avg", "exp_avg_sq")]

    rule, _ = averages([1.0, 7.0, 2.0, 3.0])
    [p] = rule.param_groups[0]["params"]
    benchmark.forget(rule, [torch.full((1,), 7.0, dtype=torch.float64)], 2, v_too=True)
    found = [rule.state[p][name].item() for name in ("exp_avg", "exp_avg_sq")]
    assert found == pytest.approx(averages([1.0, 0.0, 2.0, 3.0])[1])


def test_a_spared_spike_costs_less(benchmark: ModuleType) -> None:
    calm, hit, spared = (
        run(benchmark, clip=None, steps=60, **given)["held_out"]
        for given in ({}, {"spike": True}, {"spike": True, "spared": "m"})
    )
    assert calm < spared < hit


def test_held_out_losses_are_those_of_the_second_halves(benchmark: ModuleType) -> None:
    torch.manual_seed(0)
    net = models.Transformer(5, benchmark.PLACES, d=8, heads=2)
    numbers = torch.randint(5, (100,), generator=torch.Generator().manual_seed(1))
    nats, targets = benchmark.held_out_losses(net, numbers)
    # windows begin at 0, 16, 32, 48, 64: the targets are numbers 17 to 96, each once
    assert torch.equal(targets, numbers[17:97])
    logits = net(numbers[16:48][None])[0, 20]
    torch.testing.assert_close(nats[16 + 20 - 16 + 0], nats[20])
    torch.testing.assert_close(nats[20], F.cross_entropy(logits.detach(), numbers[37]))


def test_a_run_measures_what_it_says(benchmark: ModuleType) -> None:
    found = run(benchmark, samples=True)
    assert found["held_out"] < 4.7
    assert len(found["bands"]) == 4
    assert found["bands"][0] < found["bands"][-1]  # common characters are learned first
    assert found["before"].startswith("The ")
    assert len(found["after"]) == 404
    json.dumps(found, allow_nan=False)
    again = run(benchmark)
    assert again["held_out"] == found["held_out"]


def test_clipping_counts_where_it_cuts(benchmark: ModuleType) -> None:
    assert run(benchmark, clip=1e-3)["cut"] == 1
    assert run(benchmark, clip=1e3)["cut"] == 0
    assert run(benchmark, clip=None)["cut"] == 0


def test_a_spike_is_one_step_and_a_cut_undoes_it(benchmark: ModuleType) -> None:
    calm, hit = (run(benchmark, clip=None, spike=spike) for spike in (False, True))
    assert hit["norms"][2] > 100 * calm["norms"][2]
    assert hit["norms"][0] < 100 * calm["norms"][0]
    assert abs(run(benchmark, spike=True)["held_out"] - run(benchmark)["held_out"]) < abs(
        hit["held_out"] - calm["held_out"]
    )


def test_what_diverges_is_none(benchmark: ModuleType) -> None:
    assert run(benchmark, method="momentum", lr=1e30, clip=None)["held_out"] is None


def test_words_are_of_the_sizes_of_the_bands(benchmark: ModuleType) -> None:
    for kind, edges in benchmark.BANDS.items():
        assert edges[-1] == benchmark.tokens(kind)[2]
    assert benchmark.tokens("characters")[2] == len(data.language_reference().symbols)


def test_the_best_rate_is_inside_and_the_store_goes_on(
    benchmark: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses, asked = {0.5: 3.0, 1.0: 2.0, 2.0: 1.5, 4.0: None, 0.25: 9.0}, []

    def train(*, lr: float, seed: int, **_: Any) -> dict[str, Any]:
        asked.append(lr)
        return {"late": losses[lr], "held_out": losses[lr], "seconds": 1.0}

    monkeypatch.setattr(benchmark, "train", train)
    path = tmp_path / "runs" / "store.jsonl"
    for _ in range(2):
        assert benchmark.best_rate(benchmark.Store(path), "rates", 0.5, kind="x") == 2.0
    assert asked == [0.25, 0.5, 1.0, 2.0, 4.0]  # the second time nothing is run
    assert len(path.read_text().splitlines()) == 5


def test_a_record_holds_every_part(
    benchmark: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(*, method: str, lr: float, **_: Any) -> dict[str, Any]:
        best = benchmark.RATES[method]
        return {"late": abs(lr / best - 1), "held_out": 2.0, "seconds": 0.5}

    monkeypatch.setattr(benchmark, "train", train)
    threads = torch.get_num_threads()
    try:
        benchmark.main(["--store", str(tmp_path / "store.jsonl"), "--record", "--folder", str(tmp_path)])
    finally:
        torch.set_num_threads(threads)
    found = recorded.newest("language_model", tmp_path)
    assert found is not None
    parts = {row["part"] for row in found.rows}
    assert parts == {
        "rates",
        "race",
        "beta rates",
        "beta",
        "words",
        "word rates",
        "early",
        "long rates",
        "long",
        "early long",
        "long word rates",
        "long words",
        "spike",
        "spared",
        "warmup",
    }
    race = [(row["method"], row["seed"]) for row in found.rows if row["part"] == "race"]
    assert sorted(race) == sorted((m, s) for m in benchmark.RATES for s in range(benchmark.SEEDS["race"]))
    assert not {row["seed"] for row in found.rows if row["part"] == "rates"} & set(range(100))
