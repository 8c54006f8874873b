"""The text that ships is the one that was frozen; its parts share no paragraph; characters and numbers."""

from __future__ import annotations

import gzip
import hashlib
import platform
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch

from course_utils import data
from course_utils.data import text as module
from tests.mutants import mistakes

SHA256 = "7c23e8caf104a42698f72bdae1b9505b4f9ab8492b2c6339235dda6a600c6888"
TOPICS = {
    "second": "A  “title”\n*********\n\nIt is\n   one - line…\n\n\nShared by\n  both.\n",
    "first": "Shared   by both.\n\n====\n\n   x ::= a | b\n\nIt costs 1° – or naïve.\n",
}


def test_the_text_is_the_one_that_was_frozen() -> None:
    whole = gzip.decompress(module._FILE.read_bytes())
    assert hashlib.sha256(whole).hexdigest() == SHA256
    assert module._FILE.stat().st_size < 250_000


@pytest.mark.skipif(platform.python_version() != "3.11.7", reason="other versions have another text")
def test_python_3_11_7_makes_it_again() -> None:
    topics = pytest.importorskip("pydoc_data.topics").topics
    assert hashlib.sha256(module.freeze(topics).encode()).hexdigest() == SHA256


def test_its_licence_is_beside_it() -> None:
    licence = module._FILE.with_name("language_reference.LICENSE.txt").read_text(encoding="utf-8")
    assert "PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2" in licence
    assert "2023 Python Software Foundation" in licence
    readme = module._FILE.with_name("README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in readme for name in (module._FILE.name, "language_reference.LICENSE.txt"))


def check_parts(module: Any) -> None:
    found = module.language_reference()
    lines = [set(part.splitlines()) for part in (found.train, found.held_out)]
    assert lines[0] & lines[1] == set()
    assert sum(map(len, lines)) == (found.train + found.held_out).count("\n")  # no paragraph occurs twice
    assert (len(found.train), len(found.held_out)) == (300_226, 32_534)
    assert len(found.symbols) == 94
    assert set(found.held_out) <= set(found.train)
    # blocks are taken all over the text: of a fifth of it at the end, a fifth is held out
    whole = gzip.decompress(module._FILE.read_bytes()).decode()
    places = [whole.index(line) / len(whole) for line in found.held_out.splitlines() if len(line) > 200]
    assert min(places) < 0.15
    assert max(places) > 0.9


def check_split(module: Any) -> None:
    text = "".join(f"line {k:02}\n" for k in range(30))  # 8 characters each
    parts = module.split(text, block=15, every=3)
    assert parts.held_out == "".join(f"line {k:02}\n" for k in range(30) if k % 6 in (4, 5))
    assert parts.train == "".join(f"line {k:02}\n" for k in range(30) if k % 6 not in (4, 5))


def check_freeze(module: Any) -> None:
    lines = ["Shared by both.", "x ::= a | b", "It costs 1 - or nave.", 'A "title"', "It is one - line..."]
    assert module.freeze(TOPICS) == "".join(f"{line}\n" for line in lines)


def check_numbers(module: Any) -> None:
    text = module.Text("banana", "cab")
    assert text.symbols == "abcn"
    assert text.encode("cabn").tolist() == [2, 0, 1, 3]
    assert text.encode("cabn").dtype == torch.int64
    assert text.decode(text.encode("banana")) == "banana"
    assert text.decode([3, 0]) == "na"
    assert text.encode("").shape == (0,)


def check_words(module: Any) -> None:
    text = module.Text("a cat, a cat a dog.", "a dog! a cat")
    found = module.words(text, 4)
    # " cat" and " a" twice, "a" once; the others are "," " dog" and "."
    assert found.names == ["…", " cat", " a", "a"]
    assert found.train.tolist() == [3, 1, 0, 2, 1, 2, 0, 0]
    assert found.held_out.tolist() == [3, 0, 0, 2, 1]
    real = module.words(module.language_reference(), 400)
    counts = torch.bincount(real.train, minlength=400)
    assert len(real.names) == len(set(real.names)) == 400
    assert bool((counts.diff() <= 0).all())
    assert int(counts.sum()) == len(module.WORD.findall(module.language_reference().train))
    assert (
        "".join(module.WORD.findall(module.language_reference().train)) == module.language_reference().train
    )


CHECKS: tuple[Callable[[Any], None], ...] = (
    check_parts,
    check_split,
    check_freeze,
    check_numbers,
    check_words,
)


@pytest.mark.parametrize("check", CHECKS)
def test_text(check: Callable[[Any], None]) -> None:
    check(module)


def test_it_is_among_the_data() -> None:
    assert data.language_reference() is module.language_reference()


BAD = [
    (lambda: module.Text("", "a"), "need two parts with characters, got train=0"),
    (lambda: module.Text("ab", "a").encode("abcd"), "got='cd'; leave them out"),
    (lambda: module.Text("ab", "a").decode([0, 2]), "need numbers from 0 to 1, got numbers=[0, 2]"),
    (lambda: module.Text("ab", "a").decode([-1]), "need numbers from 0 to 1"),
    (lambda: module.words(module.Text("a b", "a"), 1), "need 2 <= size <= 2, got size=1"),
    (lambda: module.words(module.Text("a b", "a"), 3), "need 2 <= size <= 2, got size=3"),
    (lambda: module.split("one\ntwo\n", block=2, every=3), "need 3 blocks or more, got blocks=2"),
    (lambda: module.split("one\ntwo\n", block=2, every=1), "need 1 blocks or more"),
]


@pytest.mark.parametrize(("call", "message"), BAD, ids=range(len(BAD)))
def test_bad_input(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


MUTANTS = {
    "twice": ('kept.setdefault(" ".join(plain.split()))', 'kept[f"{len(kept)}"] = None', check_freeze),
    "rulers": ('RULER.sub(" ", paragraph.translate(PLAIN))', "paragraph.translate(PLAIN)", check_freeze),
    "curly": ("paragraph.translate(PLAIN)", "paragraph", check_freeze),
    "unsorted": ("in sorted(topics)", "in topics", check_freeze),
    "empty-line": ('    kept.pop("", None)\n', "", check_freeze),
    "first-block": ("blocks[every - 1 :: every]", "blocks[::every]", check_split),
    "in-both": ("if k % every)", "if True)", check_parts),
    "one-long-tail": ("blocks[every - 1 :: every]", "blocks[-len(blocks) // every :]", check_parts),
    "length-kept": ("            length = 0\n", "", check_split),
    "only-of-train": ("set(self.train + self.held_out)", "set(self.train)", check_numbers),
    "others-last": ("key=lambda row: -row[1]", "key=lambda row: row[0] == '…'", check_words),
    "others-lost": ("for _, count in counts[size - 1 :]", "for _, count in counts[:0]", check_words),
    "blank-apart": ('r" ?[A-Za-z]+|[^A-Za-z]"', 'r"[A-Za-z]+|[^A-Za-z]"', check_words),
    "as-they-come": (
        "sorted(set(self.train + self.held_out))",
        "dict.fromkeys(self.train + self.held_out)",
        check_numbers,
    ),
}

test_mistakes_are_caught = mistakes("course_utils.data.text", MUTANTS, also=(KeyError, ValueError))
