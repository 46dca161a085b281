"""Prompts to the text condition of a Stable Diffusion UNet: the text encoder's last hidden state, 77 tokens.

As both code bases have it: padded to 77 tokens without an attention mask, no classifier-free guidance
(diffusers' ``encode_prompt(..., do_classifier_free_guidance=False)``).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from geobench.errors import InputError
from geobench.features.diffusion.networks import PART, TINY_CONTEXT, VERSIONS
from geobench.features.weights import Weights

LENGTH = 77
_VOCABULARY, _TINY_VOCABULARY = 49408, 1000


class TextEncoder:
    """Encodes each distinct prompt once, in float32 on the CPU: a category's prompt costs a tenth of a second once.

    Args:
        weights: where tokenizer and text encoder come from, part ``stable-diffusion``.
        ids: places of the checkpoint.
        version: of :data:`geobench.features.diffusion.networks.VERSIONS`.

    Raises:
        InputError: weights or tokenizer are absent or damaged.
    """

    def __init__(self, weights: Weights, ids: Sequence[str], version: str) -> None:
        self._network: Any = weights.network(
            PART, CLIPTextModel, ids, lambda tiny: _random_network(version, tiny), "text_encoder"
        )
        self._tokens: Callable[[str], list[int]]
        vocabulary = self._network.config.vocab_size
        if weights.random is None:
            self._tokens = _tokenizer(weights, ids, vocabulary)
        else:
            self._tokens = lambda prompt: random_tokens(prompt, vocabulary, VERSIONS[version].pad)
        self._known: dict[str, Tensor] = {}

    @torch.no_grad()
    def __call__(self, prompts: Sequence[str]) -> Float[Tensor, "n 77 c"]:
        """Return the conditions of prompts."""
        for prompt in prompts:
            if prompt not in self._known:
                self._known[prompt] = self._network(torch.tensor([self.tokens(prompt).tolist()]))[0][0].float()
        return torch.stack([self._known[prompt] for prompt in prompts])

    def tokens(self, prompt: str) -> Int64[Tensor, " 77"]:
        """Return the token ids of a prompt, cut off or padded."""
        return torch.tensor(self._tokens(prompt))


def random_tokens(prompt: str, vocabulary: int, pad: int) -> list[int]:
    """Return ids for a text encoder with random weights, for which there is no tokenizer.

    A word's id is its CRC-32, so that different prompts differ, everywhere in the same way.
    """
    start, end = vocabulary - 2, vocabulary - 1
    words = [zlib.crc32(word.encode()) % (vocabulary - 2) for word in prompt.split()][: LENGTH - 2]
    ids = [start, *words, end]
    return ids + [min(pad, end)] * (LENGTH - len(ids))


def _tokenizer(weights: Weights, ids: Sequence[str], vocabulary: int) -> Callable[[str], list[int]]:
    folder = weights.folder(PART, ids, "tokenizer")
    try:
        tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # the tokenizers library raises no narrower one
        raise InputError(f"{folder}: cannot be loaded as a CLIP tokenizer ({error}); fetch it again") from error
    # Without its files transformers makes one of three tokens, to which every prompt is the same.
    if len(tokenizer) != vocabulary:
        raise InputError(
            f"{folder}: has {len(tokenizer)} tokens, the text encoder {vocabulary}; fetch vocab.json and merges.txt of "
            "the same checkpoint into it"
        )

    def tokens(prompt: str) -> list[int]:
        found: list[int] = tokenizer(prompt, padding="max_length", max_length=LENGTH, truncation=True)["input_ids"]
        return found

    return tokens


def _random_network(version: str, tiny: bool) -> CLIPTextModel:
    given = dict(VERSIONS[version].text)
    given |= {"intermediate_size": 4 * given["hidden_size"], "vocab_size": _VOCABULARY}
    if tiny:
        given |= {"hidden_size": TINY_CONTEXT, "intermediate_size": 64, "vocab_size": _TINY_VOCABULARY}
        given |= {"num_hidden_layers": 2, "num_attention_heads": 2}
    end = given["vocab_size"] - 1
    return CLIPTextModel(CLIPTextConfig(**given, bos_token_id=end - 1, eos_token_id=end, pad_token_id=end))
