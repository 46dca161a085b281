"""Prompts to conditions: the authors' token ids and embeddings, each prompt encoded once, damaged tokenizers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from geobench.errors import InputError
from geobench.features.diffusion.networks import PART, VERSIONS
from geobench.features.diffusion.text import LENGTH, TextEncoder, random_tokens
from geobench.features.weights import Weights
from tests.features.test_dift import IDS, golden, off

VERSION = "2.1"


@pytest.fixture(scope="module")
def text() -> TextEncoder:
    return TextEncoder(Weights(), IDS, VERSION)


@pytest.mark.parametrize(("name", "prompt"), [("null", ""), ("cat", "a photo of a cat"), ("dog", "a photo of a dog")])
def test_prompts_are_tokenised_and_encoded_as_theirs(text: TextEncoder, name: str, prompt: str) -> None:
    assert text.tokens(prompt).tolist() == golden()[f"prompt.{name}.input_ids"].tolist()
    assert off(text([prompt]), golden()[f"prompt.{name}.embeds"]) <= 1e-5


def test_long_prompts_are_cut_off_and_end_as_short_ones(text: TextEncoder) -> None:
    ids = text.tokens("a photo of a cat " * 50).tolist()
    end = text.tokens("").tolist()[1]
    assert len(ids) == LENGTH
    assert ids[-1] == end
    assert end not in ids[:-1]


def test_each_prompt_is_encoded_once_and_alone() -> None:
    text = TextEncoder(Weights(random="tiny"), IDS, VERSION)
    calls: list[int] = []
    text._network.register_forward_hook(lambda _module, given, _out: calls.append(len(given[0])))
    cat, dog, again = text(["a photo of a cat", "a photo of a dog", "a photo of a cat"])
    assert torch.equal(cat, again)
    assert not torch.equal(cat, dog)
    assert torch.equal(text(["a photo of a dog"])[0], dog)
    assert calls == [1, 1]


@pytest.mark.parametrize(("version", "pad"), [("1.5", 49407), ("2.1", 0)])
def test_random_ids_are_framed_and_padded_as_the_versions(version: str, pad: int) -> None:
    assert VERSIONS[version].pad == pad
    ids = random_tokens("a photo of a cat", 49408, pad)
    assert (ids[0], ids[6]) == (49406, 49407)
    assert ids[7:] == [pad] * 70
    assert ids == random_tokens("a photo of a cat", 49408, pad) != random_tokens("a photo of a dog", 49408, pad)
    assert len(random_tokens("word " * 200, 1000, 0)) == LENGTH


def test_ids_of_tiny_networks_are_in_their_vocabulary() -> None:
    for version in VERSIONS:
        condition = TextEncoder(Weights(random="tiny"), IDS, version)(["a photo of a sea lion"])
        assert condition.shape == (1, LENGTH, 32)
        assert condition.isfinite().all()


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    for name in ("text_encoder", "tokenizer"):
        shutil.copytree(Path(IDS[0]) / name, tmp_path / name)
    return tmp_path


def test_a_damaged_tokenizer_is_told_by_its_folder(checkpoint: Path) -> None:
    (checkpoint / "tokenizer" / "vocab.json").write_text("{")
    with pytest.raises(InputError, match=r"tokenizer: cannot be loaded as a CLIP tokenizer .* fetch it again"):
        TextEncoder(Weights({PART: checkpoint}), IDS, VERSION)


def test_a_tokenizer_without_its_vocabulary_is_refused(checkpoint: Path) -> None:
    for name in ("vocab.json", "merges.txt"):
        (checkpoint / "tokenizer" / name).unlink()
    with pytest.raises(InputError, match=r"tokenizer: has 3 tokens, the text encoder 523; fetch vocab\.json"):
        TextEncoder(Weights({PART: checkpoint}), IDS, VERSION)
