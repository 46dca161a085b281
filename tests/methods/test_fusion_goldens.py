"""The fusions of sd-dino and GeoAware-SC against the authors' own, from features to predictions."""

from __future__ import annotations

import sys
from functools import cache, partial
from pathlib import Path

import pytest
import torch

from geobench.features.feature_map import FeatureMap
from geobench.matching import nearest, soft_argmax, window_soft_argmax
from geobench.methods.recipe import ComposedMethod
from geobench.methods.reduction import ReducedMethod, Reduction

sys.path.insert(0, str(Path(__file__).parents[1] / "matching"))
from fusion_inputs import diffusion_levels, dino_map, facts, features, stored

POINTS = stored()["kps_xy_840"].float()
SD_DINO = nearest.Matcher(nearest.Settings(padding="searched", centre="pixel-index"))
# Alone, the diffusion model's features are read in the frame of 840 as well.
GROUPS = {"sd": diffusion_levels, "dino": dino_map, "sd in 840": partial(diffusion_levels, side=840)}


def method(names: list[str], solver: str | None = None, seed: int = 42):
    """Return a method over the stored features, to which the pictures are known as 0 and 1."""
    composed = ComposedMethod("fused", [GROUPS[name] for name in names], [0.5] * len(names), SD_DINO)
    if solver is None:
        return composed
    return ReducedMethod(composed, Reduction(dimensions=(256, 256, 256), solver=solver, seed=seed))


@cache
def maps(*names: str, solver: str | None = None, seed: int = 42) -> tuple[FeatureMap, FeatureMap]:
    """Return the maps of the two images as they are matched."""
    fused = method(list(names), solver, seed)
    found = fused.describe(0), fused.describe(1)
    return fused.reduced(*found) if isinstance(fused, ReducedMethod) else found


def cosines(source: FeatureMap, target: FeatureMap) -> torch.Tensor:
    return source.columns[:, stored()["patch_idx"]].T @ target.columns


def distances(cosine: torch.Tensor) -> torch.Tensor:
    """Return sd-dino's similarity: minus the L2 distance of vectors of two parts of unit length each."""
    return -(4 - 4 * cosine).clamp_min(0).sqrt()


@pytest.mark.parametrize("level", ["s5", "s4", "s3", "dino"])
def test_the_features_are_those_of_the_golden(level):
    one, other = (image[level] for image in features())
    assert torch.equal(one.flatten()[:8], stored()[f"probe1.{level}"])
    assert torch.equal(other.flatten()[-8:], stored()[f"probe2.{level}"])
    sums = [float(value) for x in (one, other) for value in (x.double().sum(), x.double().abs().sum())]
    assert sums == pytest.approx(facts()["checksums"][level], rel=1e-9, abs=1e-4)


def test_the_frame_is_that_of_840_whatever_the_order():
    for names in (["sd", "dino"], ["dino", "sd"]):
        assert method(names).describe(0).letterbox.size == (840, 840)
        groups = method(names, "exact").describe(0)
        assert (groups.letterbox.size, groups.grid) == ((840, 840), (60, 60))


def test_query_points_are_read_at_the_authors_cells():
    assert torch.equal(dino_map(0).cells(POINTS, padding=True), stored()["patch_idx"])


@pytest.mark.parametrize(
    ("golden", "solver", "tolerance"), [("fused_l2", "lowrank", 1e-5), ("fused_l2_exactpca", "exact", 1e-4)]
)
def test_sd_dino(golden, solver, tolerance):
    fused = method(["sd", "dino"], solver)
    source, target = (fused.describe(image) for image in (0, 1))
    assert torch.equal(fused.match(source, target, POINTS), stored()[f"sddino.{golden}.pred_xy"])
    similarity = distances(fused.similarity(source, target, POINTS).flatten(1))
    torch.testing.assert_close(similarity[0], stored()[f"sddino.{golden}.sim_row0"], rtol=0, atol=tolerance)
    if golden == "fused_l2":
        best = similarity.topk(2, dim=1).values
        torch.testing.assert_close(best, stored()["sddino.fused_l2.top2"], rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("golden", "group", "solver", "tolerance"),
    [("sd_only_cos_exactpca", "sd in 840", "exact", 1e-4), ("dino_only_cos", "dino", None, 1e-5)],
)
def test_one_group_alone(golden, group, solver, tolerance):
    found = maps(group, solver=solver)
    assert torch.equal(SD_DINO(*found, POINTS), stored()[f"sddino.{golden}.pred_xy"])
    best = cosines(*found).topk(2, dim=1).values
    torch.testing.assert_close(best, stored()[f"sddino.{golden}.top2"], rtol=0, atol=tolerance)


def test_the_reduced_features_have_the_authors_lengths():
    unscaled = ComposedMethod("sd", [diffusion_levels], [1.0], SD_DINO, [False])
    reduced = ReducedMethod(unscaled, Reduction(dimensions=(256, 256, 256), solver="lowrank"))
    lengths = reduced.reduced(reduced.describe(0), reduced.describe(1))[0].features.norm(dim=0)
    torch.testing.assert_close(lengths, stored()["sddino.copca_desc_norms_1"], rtol=1e-5, atol=1e-4)


GEOAWARE = {
    "argmax": (nearest.Matcher(nearest.Settings(padding="searched")), 0.0),
    "softargmax_w0": (soft_argmax.Matcher(soft_argmax.Settings(padding="searched")), 1e-2),
} | {
    f"softargmax_w{w}": (
        window_soft_argmax.Matcher(
            window_soft_argmax.Settings(window=2 * w + 1, masked="zero", padding="searched")
        ),
        1e-2,
    )
    for w in (5, 7)
}  # fmt: skip


@pytest.mark.parametrize("mode", GEOAWARE)
def test_geoaware_predictions(mode):
    matcher, tolerance = GEOAWARE[mode]
    answer = matcher(*maps("sd", "dino"), POINTS)
    torch.testing.assert_close(answer, stored()[f"geo.{mode}.pred_xy"], rtol=0, atol=tolerance)


def test_geoaware_descriptors_and_similarities():
    found = maps("sd", "dino")
    probe = found[0].columns[:, stored()["patch_idx"][:4]].T
    torch.testing.assert_close(probe, stored()["geo.desc1_probe"], rtol=0, atol=1e-6)
    similarity = cosines(*found)
    torch.testing.assert_close(similarity[0], stored()["geo.sim_row0"], rtol=0, atol=1e-5)
    torch.testing.assert_close(similarity.topk(2, dim=1).values, stored()["geo.top2"], rtol=0, atol=1e-5)
