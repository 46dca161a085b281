"""Global pose awareness: how well features tell which way an instance faces, with nothing but distances to templates.

GeoAware-SC, section 3.4; pose_awareness_test.py:165-205. Every target is compared with every template by the instance
matching distance, and the sets of templates vote (:mod:`geobench.evaluation.pose_vote`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from geobench.errors import InputError, UsageError
from geobench.evaluation.pose_templates import TemplateSet
from geobench.evaluation.pose_vote import VIEWS
from geobench.features.feature_map import FeatureMap
from geobench.features.instance_mask import MaskSource, mask_maker
from geobench.matching.distance import FAR, nearest_distances, sampled_mask
from geobench.matching.upsampled_distance import UpsampledMap, upsampled
from geobench.methods.alignment import Alignment, PosedDescription
from geobench.methods.base import LoadedMethod
from geobench.picture import Picture
from geobench.progress import progress_bar
from geobench.seeding import seed_everything, seed_for


@dataclass(frozen=True)
class DistanceSettings:
    """How a target is compared with a template.

    Attributes:
        resolution: pixels per side to which both maps are upsampled bilinearly (128: pose_awareness_test.py:40).
        zeros: ``keep`` takes the target's features as they are. ``far`` is the authors' code, which puts -100000 in
            the place of every entry of an upsampled target that is exactly 0, as dense SIFT has and SD and DINO hardly.
        mask: where the targets' masks come from (:mod:`geobench.features.instance_mask`).
    """

    resolution: int = 128
    zeros: Literal["keep", "far"] = "keep"
    mask: MaskSource = "dataset"


def template_distance(
    template: UpsampledMap,
    target: FeatureMap,
    mask: Bool[Tensor, "resolution resolution"],
    zeros: Literal["keep", "far"] = "keep",
) -> float:
    """Return the mean over the target instance's pixels of the L2 distance to the nearest pixel of the template.

    The whole template image may answer, its background too, but not the padding of its letterbox.

    Args:
        template: the template image.
        target: features of the target image; upsampled to the template's resolution.
        mask: the target instance at that resolution, in the frame of its features; empty: the whole frame counts.
        zeros: see :class:`DistanceSettings`.
    """
    queries = _instance_pixels(target, mask, template.resolution)
    if zeros == "keep" or not bool((queries == 0).any()):
        return float(template.distances(queries).mean())
    # Squares of 1e5 leave float32 no digits for the features themselves.
    far = torch.where(queries == 0, FAR, queries.double())
    candidates = template.vectors(template.half_squares.isfinite().nonzero()[:, 0]).double()
    return float(nearest_distances(far, candidates).mean())


def _instance_pixels(target: FeatureMap, mask: Bool[Tensor, "r r"], resolution: int) -> Tensor:
    """Return the upsampled vectors of the instance, one per row."""
    chosen = mask.flatten().to(target.features.device)
    pixels = upsampled(target.features, resolution).flatten(1).T
    return pixels[chosen] if bool(chosen.any()) else pixels.contiguous()


def pose_distances(
    method: LoadedMethod,
    templates: Sequence[TemplateSet],
    targets: Sequence[Picture],
    settings: DistanceSettings | None = None,
    seed: int = 0,
) -> Float64[np.ndarray, "t s 4"]:
    """Return the distance of each target to each template: targets, sets, views in the order of VIEWS.

    Args:
        method: one whose descriptions are feature maps; its matcher is not used.
        templates: at least one set.
        targets: their masks say which pixels count; of a picture without one, its box.
        settings: resolution, masks, and the rule for zeros.
        seed: for methods that draw random numbers.

    Raises:
        UsageError: the method's descriptions are no feature maps.
        InputError: an image is unreadable, or two images' features differ in channels.
    """
    settings = settings or DistanceSettings()
    pictures = [picture for one in templates for picture in one.pictures]
    _prepare(method, [*pictures, *targets])
    maps = [UpsampledMap.of(feature_map(method, picture, seed), settings.resolution) for picture in pictures]
    masks = mask_maker(settings.mask, Alignment().sam_model, str(maps[0].features.device))
    found = np.zeros((len(targets), len(maps)))
    with progress_bar(len(targets), f"{method.name}: poses", "image") as advance:
        for row, picture in enumerate(targets):
            target = feature_map(method, picture, seed)
            _check_channels(target, maps[0], picture)
            mask = sampled_mask(masks(picture, target.letterbox), settings.resolution)
            found[row] = [template_distance(template, target, mask, settings.zeros) for template in maps]
            advance(1)
    return found.reshape(len(targets), len(templates), len(VIEWS))


def feature_map(method: LoadedMethod, picture: Picture, seed: int = 0) -> FeatureMap:
    """Return a method's feature map of one image.

    Raises:
        UsageError: the method describes an image by something else.
    """
    seed_everything(seed_for(seed, picture.key))
    described = method.describe(picture)
    if isinstance(described, PosedDescription):
        described = described.map()
    if not isinstance(described, FeatureMap):
        raise UsageError(
            f"{method.name}: has no feature map to tell poses by (it describes an image by "
            f"{type(described).__name__}); name a recipe with [[features]], such as dense-sift"
        )
    return described


def _prepare(method: LoadedMethod, pictures: Sequence[Picture]) -> None:
    for category in sorted({picture.category for picture in pictures}):
        method.prepare([picture for picture in pictures if picture.category == category])


def _check_channels(target: FeatureMap, template: UpsampledMap, picture: Picture) -> None:
    if target.features.shape[0] != template.features.shape[0]:
        raise InputError(
            f"{picture.path}: its features have {target.features.shape[0]} channels, those of the templates "
            f"{template.features.shape[0]}; give every image as many"
        )
