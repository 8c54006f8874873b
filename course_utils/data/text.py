"""Real English text that ships with the course, as whole numbers for a model of the next character or word.

language_reference().held_out      a string that shares no paragraph with .train
text.encode(text.held_out)         whole numbers, (characters,)
words(text, 1024)                  both parts as words, the commonest first
"""

from __future__ import annotations

import functools
import gzip
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from course_utils._checks import require

_FILE = Path(__file__).parent / "files" / "language_reference.txt.gz"
BLOCK = 4000  # characters, at least, of the blocks of which every tenth is held out
TENTH = 10
PLAIN = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "…": "..."})
WORD = re.compile(r" ?[A-Za-z]+|[^A-Za-z]")  # a word with the blank before it, or one other character
RULER = re.compile(r"([-=*~^+|])\1{3,}")  # lines drawn under titles and around tables


@dataclass(frozen=True)
class Text:
    """A text in two parts, and the alphabet of both.

    Args:
        train, held_out: the parts.
    """

    train: str
    held_out: str
    symbols: str = field(init=False)

    def __post_init__(self) -> None:
        require(bool(self.train and self.held_out), "two parts with characters", train=len(self.train))
        object.__setattr__(self, "symbols", "".join(sorted(set(self.train + self.held_out))))

    def encode(self, text: str) -> Tensor:
        """The number of each character in `symbols`, int64 (characters,).

        Raises: ValueError for a character that the alphabet lacks.
        """
        number = {symbol: k for k, symbol in enumerate(self.symbols)}
        foreign = sorted(set(text) - set(number))
        require(not foreign, "characters of the alphabet", cure="leave them out", got="".join(foreign))
        return torch.tensor([number[symbol] for symbol in text], dtype=torch.int64)

    def decode(self, numbers: Tensor | Iterable[int]) -> str:
        """The characters of whole numbers, as one string.

        Raises: ValueError for a number outside of the alphabet.
        """
        chosen = [int(k) for k in numbers]
        inside = all(0 <= k < len(self.symbols) for k in chosen)
        require(inside, f"numbers from 0 to {len(self.symbols) - 1}", numbers=chosen[:20])
        return "".join(self.symbols[k] for k in chosen)


class Words(NamedTuple):
    """A text as whole numbers of words, and the words that they stand for, the commonest first."""

    train: Tensor
    held_out: Tensor
    names: list[str]


def words(text: Text, size: int) -> Words:
    """Both parts as words, with the `size` - 1 commonest of the training part and one name for all others.

    A word is a run of letters with the blank before it, if there is one, or any other single character.
    Number k is the k-th commonest of `names`, counted from 0; the others' name is "…", wherever it ranks.

    Args: size: how many names, >= 2.
    Raises: ValueError where the training part has not so many words.
    """
    parts = [WORD.findall(part) for part in (text.train, text.held_out)]
    counts = Counter(parts[0]).most_common()
    require(2 <= size <= len(counts), f"2 <= size <= {len(counts)}", size=size)
    rest = sum(count for _, count in counts[size - 1 :])
    ranked = sorted([*counts[: size - 1], ("…", rest)], key=lambda row: -row[1])
    number = {name: k for k, (name, _) in enumerate(ranked)}
    train, held_out = (torch.tensor([number.get(word, number["…"]) for word in part]) for part in parts)
    return Words(train, held_out, [name for name, _ in ranked])


@functools.cache
def language_reference() -> Text:
    """Python's language reference: 333 thousand characters of 94 kinds, one paragraph a line.

    The topics that `help()` shows, of CPython 3.11.7, frozen, because they differ between versions of Python.
    Every tenth block of at least 4,000 characters is held out. No paragraph occurs twice, so none is in both
    parts; sentences may.

    Source: `pydoc_data.topics` of CPython 3.11.7, Copyright (c) 2001-2023 Python Software Foundation, PSF
    License Version 2; `freeze` says what was changed.
    """
    return split(gzip.decompress(_FILE.read_bytes()).decode("ascii"))


def split(text: str, *, block: int = BLOCK, every: int = TENTH) -> Text:
    """Whole lines in blocks of at least `block` characters; every `every`-th block is held out.

    Raises: ValueError where the text has fewer than `every` blocks.
    """
    blocks, length = [""], 0
    for line in text.splitlines(keepends=True):
        if length >= block:
            blocks.append("")
            length = 0
        blocks[-1] += line
        length += len(line)
    require(len(blocks) >= every >= 2, f"{every} blocks or more", blocks=len(blocks))
    return Text(
        train="".join(part for k, part in enumerate(blocks, 1) if k % every),
        held_out="".join(blocks[every - 1 :: every]),
    )


def freeze(topics: Mapping[str, str]) -> str:
    """The text of topics such as `pydoc_data.topics.topics`, plain, each paragraph once and on one line.

    Topics in the order of their names. Curly quotes and dashes become straight ones, other characters beyond
    ASCII and the rulers under titles go, all white space within a paragraph becomes one blank. A paragraph
    that has occurred is left out: topics repeat one another.
    """
    kept: dict[str, None] = {}
    for name in sorted(topics):
        for paragraph in re.split(r"\n\s*\n", topics[name]):
            plain = RULER.sub(" ", paragraph.translate(PLAIN)).encode("ascii", "ignore").decode("ascii")
            kept.setdefault(" ".join(plain.split()))
    kept.pop("", None)
    return "".join(f"{line}\n" for line in kept)
