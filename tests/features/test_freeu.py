"""FreeU and taps: against a plain loop over the up blocks, and against diffusers' Fourier filter."""

from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.utils.torch_utils import fourier_filter
from hypothesis import given
from hypothesis import strategies as st

from geobench.features.diffusion.freeu import FACTORS, FreeU, damped
from geobench.features.diffusion.taps import TAPS, TappedUNet
from tests.features.odise_goldens import fill, numbers, relative, tiny_network

LEVELS = ("s5", "s4", "s3", "s2")
TINY = {128: (1.2, 0.9), 64: (1.4, 0.2)}  # the widths of a tiny network in the place of 1280 and 640


@cache
def filled_unet():
    return fill(tiny_network("unet").eval(), "unet", 1)


def tiny_unet():
    return deepcopy(filled_unet())


def inputs(n=2):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator) for shape in ((n, 4, 16, 16), (n, 77, 32), (n, 128))]


@torch.no_grad()
def loop(unet, latents, timestep, condition, offset, factors):
    """The authors' order of things, spelt out: tap, amplify, damp, concatenate, go on; whole UNet, nothing cut off."""
    emb = unet.time_embedding(unet.time_proj(torch.full((len(latents),), timestep))) + offset
    hidden = unet.conv_in(latents)
    skips = [hidden]
    for block in unet.down_blocks:
        crossing = {"encoder_hidden_states": condition} if hasattr(block, "attentions") else {}
        hidden, more = block(hidden, emb, **crossing)
        skips += more
    hidden = unet.mid_block(hidden, emb, encoder_hidden_states=condition)
    taps = []
    for block in unet.up_blocks:
        for number, resnet in enumerate(block.resnets):
            skip, width = skips.pop(), hidden.shape[1]
            amplified, low = factors.get(width, (1, 1))
            hidden = torch.cat([hidden[:, : width // 2] * amplified, hidden[:, width // 2 :]], dim=1)
            if number == 2:
                taps.append(hidden)
            hidden = resnet(torch.cat([hidden, fourier_filter(skip, 1, low)], dim=1), emb)
            if hasattr(block, "attentions"):
                hidden = block.attentions[number](hidden, condition, return_dict=False)[0]
        for upsampler in block.upsamplers or ():
            hidden = upsampler(hidden)
    return taps


@pytest.fixture(scope="module", params=[None, TINY], ids=["without FreeU", "with FreeU"])
def wanted(request):
    latents, condition, offset = inputs()
    return request.param, loop(tiny_unet(), latents, 50, condition, offset, request.param or {})


@torch.no_grad()
def tapped(factors, levels=LEVELS, n=2):
    latents, condition, offset = inputs(n)
    network = TappedUNet(tiny_unet(), levels, FreeU(factors) if factors else None)
    return network(latents, 50, condition, offset)


def test_levels_equal_a_plain_loop(wanted):
    factors, levels = wanted
    for found, level in zip(tapped(factors), levels, strict=True):
        assert relative(found, level) < 1e-5


@pytest.mark.parametrize("levels", [("s5",), ("s4",), ("s3", "s5"), ("s3", "s4", "s5")])
def test_a_unet_cut_off_gives_the_same_levels(wanted, levels):
    factors, all_levels = wanted
    for name, found in zip(levels, tapped(factors, levels), strict=True):
        assert relative(found, all_levels[LEVELS.index(name)]) < 1e-5


def test_a_unet_is_cut_off_behind_its_deepest_level():
    network = TappedUNet(tiny_unet(), ("s3", "s5"))
    assert len(network.unet.up_blocks) == TAPS["s3"].block + 1
    assert len(network.unet.up_blocks[-1].resnets) == len(network.unet.up_blocks[-1].attentions) == 2


def test_freeu_changes_levels_by_more_than_their_scale():
    """Skip connections are damped and the amplified backbone goes on: no mere factor on the output."""
    plain, changed = tapped(None), tapped(TINY)
    for level, (one, other) in zip(LEVELS, zip(plain, changed, strict=True), strict=True):
        factor = TINY.get(one.shape[1], (1.0, 1.0))[0]
        half = one.shape[1] // 2
        assert relative(torch.cat([other[:, :half] / factor, other[:, half:]], dim=1), one) > 0.01, level


def test_factors_are_for_the_widths_of_sd_15_only():
    """A tiny network has none of them, so that its features are those without FreeU."""
    assert FACTORS == {1280: (1.2, 0.9), 640: (1.4, 0.2)}
    for found, plain in zip(tapped(FACTORS), tapped(None), strict=True):
        assert torch.equal(found, plain)


def test_freeu_reads_the_backbones_width_at_every_up_block_resnet_of_sd_15():
    """On the architecture itself, without memory for its weights: blocks 0 to 6 have 1280 channels, 7 to 9 have 640."""
    with torch.device("meta"):
        unet = UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8, sample_size=64)
    FreeU().install(unet)
    hooked = [len(resnet._forward_pre_hooks) for block in unet.up_blocks for resnet in block.resnets]
    assert hooked == [1] * 10 + [0] * 2
    hidden = torch.ones(1, 1280, 2, 2)
    changed = FreeU().backbone(hidden)
    assert bool((changed[:, :640] == 1.2).all())
    assert bool((changed[:, 640:] == 1).all())
    assert bool((hidden == 1).all())


def test_one_level_again_after_another_image_gives_the_same():
    latents, condition, offset = inputs(1)
    network = TappedUNet(tiny_unet(), ("s5",), FreeU(TINY))
    with torch.no_grad():
        first = network(latents, 50, condition, offset)[0]
        network(latents.flip(-1), 50, condition, offset)
        assert torch.equal(network(latents, 50, condition, offset)[0], first)


def test_half_precision_gives_float32_levels_near_those_of_full_precision():
    latents, condition, offset = inputs(1)
    network = TappedUNet(tiny_unet(), ("s4",), FreeU(TINY)).to(torch.bfloat16)
    with torch.no_grad():
        level = network(latents, 50, condition, offset)[0]
    assert level.dtype == torch.float32
    assert 0 < relative(level, tapped(TINY, ("s4",), 1)[0]) < 0.1


@given(
    rows=st.sampled_from([2, 8, 12, 16]),
    columns=st.sampled_from([2, 8, 10, 32]),
    factor=st.sampled_from([0.2, 0.9, 1.0]),
)
def test_damping_equals_diffusers_fourier_filter(rows, columns, factor):
    features = torch.randn(2, 3, rows, columns, generator=torch.Generator().manual_seed(rows * columns))
    torch.testing.assert_close(damped(features, factor), fourier_filter(features, 1, factor), atol=1e-5, rtol=1e-5)


def test_damping_a_constant_scales_it_and_leaves_a_chessboard():
    constant = torch.full((1, 1, 8, 8), 3.0)
    board = (torch.arange(8)[:, None] + torch.arange(8)).remainder(2)[None, None] * 2.0 - 1
    torch.testing.assert_close(damped(constant, 0.2), constant * 0.2)
    torch.testing.assert_close(damped(board, 0.2), board)
    assert damped(board.half(), 0.2).dtype == torch.float16


@pytest.mark.parametrize(
    ("level", "factor", "kept", "without"), [("s5", 1.2, 58, 49), ("s4", 1.2, 57, 48), ("s3", 1.4, 68, 52)]
)
def test_the_errata_page_says_what_the_authors_kept(level, factor, kept, without):
    """The share of the first half of the channels in a level's variance, and had it not been multiplied in place."""
    held = numbers("sd15", "geoaware-sc")[1]["stats"][level]
    first, second = held["first_half_std"] ** 2, held["second_half_std"] ** 2
    assert round(100 * first / (first + second)) == kept
    assert round(100 * first / factor**2 / (first / factor**2 + second)) == without
    assert f"| {level} | {kept} % | {without} % |" in (Path(__file__).parents[2] / "docs" / "errata.md").read_text(
        encoding="utf-8"
    )
