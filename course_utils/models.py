"""The nets that experiments train: small ones, built by one call, so that seeds can be stacked.

he_net              dense, ReLU, He's initial weights
net                 one hidden layer, with dropout and normalisation where they are asked for
TransformerBlock    causal attention and a small dense net, with dropout; norms first or last
Transformer         embeddings, blocks, and logits of the next symbol
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from course_utils._checks import require
from course_utils.layers import Dropout, causal_weights

HIDDEN = 64


def he_net(*widths: int, gain: float = 1.0, negative_slope: float = 0.0) -> nn.Sequential:
    """A dense ReLU net with normal weights of He's size times `gain`, and zero biases.

        W ~ gain * sqrt(2 / fan_in) * N(0, 1)

    Args:
        widths: of the input, the hidden layers and the output, two or more.
        gain: > 0. At 1 the activations keep their size from layer to layer; above, they grow.
        negative_slope: of a LeakyReLU, which then stands where each ReLU is; the weights are the same.
    Raises: ValueError for fewer than two widths, or a gain that is not positive.
    Source: He, Zhang, Ren & Sun (2015), equation 10.
    """
    require(len(widths) >= 2, "two widths or more", widths=widths)
    require(gain > 0, "gain > 0", gain=gain)
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        linear = nn.Linear(fan_in, fan_out)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        with torch.no_grad():
            linear.weight.mul_(gain)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.LeakyReLU(negative_slope) if negative_slope else nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def net(
    inputs: int,
    *,
    hidden: int = HIDDEN,
    classes: int = 10,
    dropout: float = 0.0,
    norm: Callable[[int], nn.Module] | None = None,
) -> nn.Sequential:
    """inputs -> hidden -> classes with ReLU; dropout and normalisation on the hidden layer."""
    between = [] if norm is None else [norm(hidden)]
    after = [] if dropout == 0 else [Dropout(dropout)]
    return nn.Sequential(
        nn.Flatten(), nn.Linear(inputs, hidden), *between, nn.ReLU(), *after, nn.Linear(hidden, classes)
    )


class TransformerBlock(nn.Module):
    """One block of a transformer that looks back only, with dropout.

        weights = softmax(q k' / sqrt(d / heads)), zero for later places
        attend(x) = out(drop(weights) v),    q, k, v linear in x
        mlp: d -> 2 d -> d with GELU

        x <- x + drop(attend(norm1(x))),    x <- x + drop(mlp(norm2(x)))        norm_first
        x <- norm1(x + drop(attend(x))),    x <- norm2(x + drop(mlp(x)))        else

    It uses no fused attention, so that `train_seeds` can stack it.

    Args:
        d: numbers per place, a multiple of `heads`.
        heads: >= 1.
        dropout: probability at the attention weights and at the end of both branches.
        norm_first: whether a branch's input is normalised, or the sum after it.
    Shape: x (..., T, d), and the result.
    Raises: ValueError where `heads` does not divide d.
    Source: Vaswani et al. (2017), whose norms come last; first as in Xiong et al. (2020).
    Agrees with: `torch.nn.TransformerEncoderLayer(activation="gelu")` with a causal mask, up to that one's
        further dropout between the two layers of the mlp.
    """

    def __init__(self, d: int, *, heads: int, dropout: float = 0.0, norm_first: bool = True) -> None:
        super().__init__()
        require(heads >= 1 and d % heads == 0, "heads >= 1 that divide d", d=d, heads=heads)
        self.heads, self.norm_first = heads, norm_first
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.mlp = nn.Sequential(nn.Linear(d, 2 * d), nn.GELU(), nn.Linear(2 * d, d))
        self.on_weights, self.on_branch = Dropout(dropout), Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        if self.norm_first:
            x = x + self.on_branch(self._attend(self.norm1(x)))
            out: Tensor = x + self.on_branch(self.mlp(self.norm2(x)))
            return out
        x = self.norm1(x + self.on_branch(self._attend(x)))
        out = self.norm2(x + self.on_branch(self.mlp(x)))
        return out

    def _attend(self, x: Tensor) -> Tensor:
        # each (..., heads, T, d / heads)
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(-2, -3) for part in self.qkv(x).chunk(3, -1)
        )
        weights = self.on_weights(causal_weights(q, k))
        seen: Tensor = self.out((weights @ v).transpose(-2, -3).flatten(-2))
        return seen


class Transformer(nn.Module):
    """The smallest language model with attention: embeddings, blocks, logits of the next symbol.

        x <- drop(symbols[s] + places),    x <- block(x) for each block,    logits = head(norm(x))

    Args:
        symbols: size of the alphabet.
        length: places of a sequence, at most.
        blocks: >= 1.
        tied: whether the head's matrix *is* that of the embeddings, as in Press & Wolf (2017). It begins at
            normal draws divided by sqrt(d), so that the first logits are of size 1.
        d, heads, dropout, norm_first: as of `TransformerBlock`; dropout acts on the embeddings, too. Where
            norms come last there is none before the head: the last block has it.
    Shape: whole numbers (..., T) with T <= length -> (..., T, symbols).
    Raises: ValueError where there is no block, or a sequence is longer than `length`.
    Source: Vaswani et al. (2017).
    """

    def __init__(
        self,
        symbols: int,
        length: int,
        *,
        d: int,
        heads: int,
        blocks: int = 1,
        dropout: float = 0.0,
        norm_first: bool = True,
        tied: bool = False,
    ) -> None:
        super().__init__()
        require(blocks >= 1, "blocks >= 1", blocks=blocks)
        self.symbols, self.places = nn.Embedding(symbols, d), nn.Parameter(0.02 * torch.randn(length, d))
        self.drop = Dropout(dropout)
        self.blocks = nn.Sequential(
            *(TransformerBlock(d, heads=heads, dropout=dropout, norm_first=norm_first) for _ in range(blocks))
        )
        self.norm = nn.LayerNorm(d) if norm_first else nn.Identity()
        self.head = nn.Linear(d, symbols)
        if tied:
            with torch.no_grad():
                self.symbols.weight.div_(d**0.5)
            self.head.weight = self.symbols.weight

    def forward(self, s: Tensor) -> Tensor:
        here, most = s.shape[-1], len(self.places)
        require(here <= most, f"sequences of at most {most}", cure="cut off their beginning", length=here)
        x = self.drop(self.symbols(s) + self.places[:here])
        logits: Tensor = self.head(self.norm(self.blocks(x)))
        return logits
