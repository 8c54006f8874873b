"""He's net has He's weights; the block of a transformer is torch's."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from course_utils import models
from tests.mutants import mistakes


def check_weights(module: Any) -> None:
    torch.manual_seed(0)
    net = module.he_net(400, 300, 200, gain=1.5)
    assert [type(layer).__name__ for layer in net] == ["Linear", "ReLU", "Linear"]
    for linear, fan_in in ((net[0], 400), (net[2], 300)):
        expected = 1.5 * (2 / fan_in) ** 0.5  # the spread of 60,000 draws is known to 0.3%
        assert float(linear.weight.detach().std()) == pytest.approx(expected, rel=0.015)
        assert float(linear.bias.detach().abs().max()) == 0


def test_weights_are_hes() -> None:
    check_weights(models)


@pytest.mark.parametrize("bad", [{"gain": 0.0}, {"gain": -1.0}])
def test_bad_gain(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="need gain > 0"):
        models.he_net(3, 2, **bad)


def test_one_width_is_no_net() -> None:
    with pytest.raises(ValueError, match="two widths"):
        models.he_net(3)


def check_block(module: Any) -> None:
    """Without dropout it is torch's encoder layer with a causal mask, in outputs and gradients."""
    torch.manual_seed(1)
    later = torch.ones(7, 7).triu(1).bool()
    for first in (True, False):
        ours = module.TransformerBlock(12, heads=3, norm_first=first).double()
        theirs = nn.TransformerEncoderLayer(
            12, 3, 24, 0.0, activation="gelu", batch_first=True, norm_first=first, dtype=torch.float64
        )
        pairs = {
            "self_attn.in_proj_": ours.qkv, "self_attn.out_proj.": ours.out, "linear1.": ours.mlp[0],
            "linear2.": ours.mlp[2], "norm1.": ours.norm1, "norm2.": ours.norm2,
        }  # fmt: skip
        for part in pairs.values():
            nn.init.normal_(part.bias)
        theirs.load_state_dict(
            {name + kind: getattr(part, kind) for name, part in pairs.items() for kind in ("weight", "bias")}
        )
        x = torch.randn(5, 7, 12, dtype=torch.float64)
        outs = [ours(x), theirs(x, src_mask=later)]
        torch.testing.assert_close(outs[0], outs[1], rtol=1e-10, atol=1e-12)
        for out in outs:
            (out**3).mean().backward()
        torch.testing.assert_close(
            ours.qkv.weight.grad, theirs.self_attn.in_proj_weight.grad, rtol=1e-9, atol=1e-12
        )


def check_blocks(module: Any) -> None:
    """As many blocks as asked, and a norm before the head only where norms come first."""
    torch.manual_seed(3)
    s = torch.randint(6, (2, 5))
    for first in (True, False):
        net = module.Transformer(6, 5, d=8, heads=2, blocks=3, norm_first=first)
        assert len(net.blocks) == 3
        assert isinstance(net.norm, nn.LayerNorm) == first
        assert all(block.norm_first == first for block in net.blocks)
        x = net.symbols(s) + net.places
        for block in net.blocks:
            x = block(x)
        x = nn.functional.layer_norm(x, (8,)) if first else x
        torch.testing.assert_close(net(s), net.head(x))


def check_places(module: Any) -> None:
    """Dropout is at the weights, at the end of both branches and, in the whole model, on the embeddings."""
    torch.manual_seed(2)
    seen: list[tuple[int, ...]] = []
    net = module.Transformer(6, 5, d=8, heads=2, dropout=1.0)
    for part in net.modules():
        if type(part).__name__ == "Dropout":
            part.register_forward_hook(lambda _, inputs, output: seen.append(tuple(output.shape)))
    s = torch.randint(6, (3, 5))
    assert net(s).shape == (3, 5, 6)
    assert seen == [(3, 5, 8), (3, 2, 5, 5), (3, 5, 8), (3, 5, 8)]
    # all of it dropped: nothing is left but what does not depend on s
    assert torch.equal(net(s), net((s + 1) % 6))
    with torch.no_grad():
        net.eval()
        other = s.clone()
        other[:, 3] = (s[:, 3] + 1) % 6
        same = (net(s) == net(other)).all(-1)
    assert same[:, :3].all()  # no place sees a later one
    assert not same[:, 3:].any()


def check_shorter(module: Any) -> None:
    """What comes later changes nothing, so the beginning of a sequence has the logits of the beginning."""
    torch.manual_seed(4)
    net = module.Transformer(6, 7, d=8, heads=2, blocks=2)
    s = torch.randint(6, (3, 7))
    torch.testing.assert_close(net(s[:, :4]), net(s)[:, :4])


def check_tied(module: Any) -> None:
    """One matrix for both, counted once, with the gradients of both, and logits of size 1 at the start."""
    torch.manual_seed(5)
    s = torch.randint(50, (20, 6))
    tied, free = (module.Transformer(50, 6, d=32, heads=2, tied=tied) for tied in (True, False))
    assert sum(p.numel() for p in free.parameters()) - sum(p.numel() for p in tied.parameters()) == 50 * 32
    assert float(tied(s).detach().std()) == pytest.approx(1, rel=0.3)
    tied(s)[..., 3].sum().backward()
    grad = tied.symbols.weight.grad
    read = torch.tensor([k in s for k in range(50)])
    assert bool((grad[read].abs().sum(1) > 0).all())  # as embeddings, and number 3 in the head


def test_the_block_is_torchs() -> None:
    check_block(models)
    check_shorter(models)
    check_tied(models)
    check_places(models)
    check_blocks(models)


def test_heads_that_do_not_divide() -> None:
    with pytest.raises(ValueError, match="heads >= 1 that divide d, got d=8, heads=3"):
        models.TransformerBlock(8, heads=3)
    with pytest.raises(ValueError, match="blocks >= 1, got blocks=0"):
        models.Transformer(6, 5, d=8, heads=2, blocks=0)
    with pytest.raises(ValueError, match="at most 5, got length=6; cut off their beginning"):
        models.Transformer(6, 5, d=8, heads=2)(torch.zeros(1, 6, dtype=torch.int64))


MUTANTS = {
    "gain-forgotten": ("linear.weight.mul_(gain)", "linear.weight.mul_(1.0)", check_weights),
    "biases-kept": ("        nn.init.zeros_(linear.bias)\n", "", check_weights),
    "keys-ask": ("causal_weights(q, k)", "causal_weights(k, q)", check_block),
    "norm-last": ("self.mlp(self.norm2(x))", "self.norm2(self.mlp(x))", check_block),
    "norm-of-the-branch": (
        "self.norm1(x + self.on_branch(self._attend(x)))",
        "x + self.norm1(self.on_branch(self._attend(x)))",
        check_block,
    ),
    "two-norms-at-the-end": (
        "nn.LayerNorm(d) if norm_first else nn.Identity()",
        "nn.LayerNorm(d)",
        check_blocks,
    ),
    "one-block": ("for _ in range(blocks)", "for _ in range(1)", check_blocks),
    "heads-mixed": (".transpose(-2, -3).flatten(-2)", ".flatten(-2)", check_block),
    "no-dropout-of-weights": ("self.on_weights(causal_weights(q, k))", "causal_weights(q, k)", check_places),
    "embeddings-kept": (
        "self.drop(self.symbols(s) + self.places[:here])",
        "self.symbols(s) + self.places[:here]",
        check_places,
    ),
    "last-places": ("self.places[:here]", "self.places[-here:]", check_shorter),
    "copied-not-tied": (
        "self.head.weight = self.symbols.weight",
        "self.head.weight.data.copy_(self.symbols.weight)",
        check_tied,
    ),
    "tied-too-large": ("self.symbols.weight.div_(d**0.5)", "self.symbols.weight.div_(1)", check_tied),
}


test_mistakes_are_caught = mistakes("course_utils.models", MUTANTS, also=(RuntimeError,))
