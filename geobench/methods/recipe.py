"""A method written as a recipe: which features, which matcher, or which class with which options.

    [[features]]                      method = "my_package.my_module:MyMethod"
    extractor = "dense-sift"          [options]
    [matcher]                         layers = 3
    kind = "nearest"
    [alignment]
    poses = ["identity", "mirror"]

The left form is composed here: each extractor's map is normalised to unit length, several maps are weighted and
concatenated, and the matcher reads the points off the similarity of the two descriptions; [alignment] chooses among
poses of the source image first; [reduction] reduces the features of each pair together, before they are normalised;
[post_processor] passes the features of an image, not normalised, through a trained network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import Field, create_model

from geobench.errors import InputError
from geobench.files import sha256_of
from geobench.methods.alignment import AlignedMethod, Alignment
from geobench.methods.base import Method
from geobench.methods.classes import construct, find_class
from geobench.methods.parts import Extractor, Matcher, extract, find_part, make_extractor, own_settings
from geobench.methods.post_processing import PostProcess, PostProcessing, load_post_process
from geobench.methods.reduction import ReducedMethod, Reduction
from geobench.methods.stages import check_stages
from geobench.training.settings import TrainingSettings
from geobench.typed_toml import StrictModel, read_toml, validate

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from geobench.features.feature_map import FeatureMap
    from geobench.features.levels import Levels
    from geobench.features.weights import Weights
    from geobench.picture import Picture


class Recipe(StrictModel):
    """One leaderboard row, as written in ``baselines/<name>.toml``.

    Attributes:
        setting: kind of supervision, as tables print it.
        features: groups of features; each has ``extractor``, ``weight`` and the extractor's own settings.
        matcher: ``kind`` and the matcher's own settings.
        alignment: poses of the source image to choose from; without it the image is matched as it is.
        reduction: how the features of a pair are reduced together; without it they are matched as they are.
        post_processor: the trained network that the features pass; without it they are matched as they are.
        training: how ``geobench train`` trains the post-processor; an evaluation does not read it.
        loss: on what loss (:class:`geobench.training.losses.LossSettings`).
        trained_on: benchmarks and splits that a trained network of the recipe has seen, for marks in tables.
        method: ``module:Class`` or ``file.py:Class`` (relative to the recipe), instead of features and matcher.
        options: keyword arguments of that class.
    """

    title: str
    setting: str = ""
    description: str = ""
    features: tuple[dict[str, Any], ...] = ()
    matcher: dict[str, Any] | None = None
    alignment: Alignment | None = None
    reduction: Reduction | None = None
    post_processor: PostProcessing | None = None
    training: TrainingSettings | None = None
    loss: dict[str, Any] | None = None
    trained_on: tuple[str, ...] = ()
    method: str | None = None
    options: dict[str, Any] = {}


class _Weighted(StrictModel):
    """What every group of features may say beside its extractor's settings.

    Attributes:
        weight: factor of the group before groups are concatenated.
        normalise: bring every cell to unit length first. Without it similarities are plain dot products; it is for
            ``upsampled-nearest``, which interpolates features as the network gives them, as DIFT does.
    """

    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    normalise: bool = True


@dataclass(frozen=True)
class BuiltRecipe:
    """A recipe made into a method, with the recipe as run.json records it: every default filled in.

    Attributes:
        method: the method.
        recipe: its tables.
        sha256: hash of the recipe's file.
        weights: what each network was loaded from: SHA-256 of the weights, or that they are random.
    """

    method: Method
    recipe: dict[str, Any]
    sha256: str
    weights: dict[str, str]


class ComposedMethod:
    """Features and a matcher: describes an image by one feature map, matches two maps.

    Args:
        name: name of the recipe.
        extractors: image to feature map, one per group.
        weights: factor of each group's unit-length features before they are concatenated.
        matcher: two maps and query points to target points.
        normalise: whether each group is brought to unit length; by default all are.
        post_process: what makes one map of the groups instead; ``weights`` and ``normalise`` then say nothing.
    """

    def __init__(
        self,
        name: str,
        extractors: list[Extractor],
        weights: list[float],
        matcher: Matcher,
        normalise: list[bool] | None = None,
        post_process: PostProcess | None = None,
    ) -> None:
        self.name = name
        self.extractors = extractors
        self.weights = weights
        self.matcher = matcher
        self.normalise = normalise
        self.post_process = post_process

    def describe(self, picture: Picture) -> FeatureMap:
        """Return the feature map of one image.

        Raises:
            InputError: two groups show different parts of the image.
        """
        import torch

        return self.describe_many([picture], [torch.initial_seed() % 2**32])[0]  # NumPy takes no larger seed

    @property
    def batch(self) -> int:
        """How many images are described together."""
        return max(int(getattr(extractor, "batch", 1)) for extractor in self.extractors)

    def describe_many(self, pictures: Sequence[Picture], seeds: Sequence[int]) -> list[FeatureMap]:
        """Return the feature map of each picture, drawn with its own seed.

        Raises:
            InputError: two groups show different parts of an image.
        """
        return [self.fused(found) for found in self.groups(pictures, seeds)]

    def groups(self, pictures: Sequence[Picture], seeds: Sequence[int]) -> list[tuple[FeatureMap | Levels, ...]]:
        """Return for each picture what each extractor gives, drawn with the picture's own seed."""
        return list(zip(*(extract(extractor, pictures, seeds) for extractor in self.extractors), strict=True))

    def fused(self, found: Sequence[FeatureMap | Levels]) -> FeatureMap:
        """Return the groups of one image, one per extractor, as one map.

        Raises:
            InputError: two groups show different parts of the image, or are not those of the post-processor.
        """
        from geobench.features.feature_map import fuse
        from geobench.features.levels import joined

        if self.post_process is not None:
            return self.post_process(found)
        return fuse([joined(one) for one in found], self.weights, self.normalise)

    def match(self, source: FeatureMap, target: FeatureMap, points: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2"]:
        """Return where ``points`` lie in the target image; (x, y) in pixels of the original images."""
        return self.matcher(source, target, points)

    @property
    def matches_many(self) -> bool:
        """Whether the matcher can take the points of several source images at once."""
        return bool(getattr(self.matcher, "pools_sources", False))

    def match_many(
        self, sources: Sequence[FeatureMap], target: FeatureMap, points: Sequence[Float[Tensor, "n 2"]]
    ) -> Sequence[Float[Tensor, "n 2"]]:
        """Return :meth:`match` of each source with the target, the target map being read once for all."""
        import torch

        from geobench.features.feature_map import PooledMaps

        counts = [len(some) for some in points]
        return torch.split(self.matcher(PooledMaps(sources, counts), target, torch.cat(list(points))), counts)

    def similarity(
        self, source: FeatureMap, target: FeatureMap, points: Float[Tensor, "n 2"]
    ) -> Float[Tensor, "n h w"]:
        """Return how similar each cell of the target's grid is to each of ``points`` (pixels of the source image)."""
        from geobench.matching.similarity import point_similarity

        similarity: Tensor = point_similarity(source, target, points).reshape(-1, *target.grid[::-1])
        return similarity


def load_recipe(path: Path, device: str = "cpu", weights: Weights | None = None) -> BuiltRecipe:
    """Return the method that the recipe at ``path`` describes.

    Args:
        path: the recipe.
        device: torch device.
        weights: where the weights of its networks come from; by default this machine and the hub.

    Raises:
        InputError: the recipe is malformed; the message names file, key and the nearest valid one.
        UsageError: the class it names does not exist.
    """
    values = read_toml(path)
    if isinstance(values.get("features"), dict):
        raise InputError(f"{path}: [features] is one table; write [[features]] with two brackets, once per group")
    recipe = validate(values, Recipe, str(path))
    _check_form(recipe, path)
    if recipe.features:
        from geobench.features.weights import Weights

        weights = weights or Weights()
        method, resolved = _compose(recipe, path, device, weights)
        weights.check_all_used()
    else:
        method, resolved = _construct(recipe, path, device)
    loaded = weights.loaded if weights else {}
    return BuiltRecipe(method, recipe.model_dump(mode="json", exclude_none=True) | resolved, sha256_of(path), loaded)


def _check_form(recipe: Recipe, path: Path) -> None:
    composed = bool(recipe.features) or recipe.matcher is not None
    if composed == (recipe.method is not None):
        found = "both" if composed else "neither"
        raise InputError(f"{path}: give either [[features]] with [matcher], or method; found {found}")
    if composed and (not recipe.features or recipe.matcher is None):
        raise InputError(f"{path}: {'[matcher]' if recipe.features else '[[features]]'} is missing; add it")
    if recipe.method is not None and ":" not in recipe.method:
        raise InputError(f"{path}: method: name a class, as in package.module:Class (found {recipe.method!r})")
    check_stages(recipe, path, composed)
    if composed and recipe.options:
        raise InputError(f"{path}: [options] belong to method; put the settings under [[features]] or [matcher]")


def _construct(recipe: Recipe, path: Path, device: str) -> tuple[Method, dict[str, Any]]:
    """Return the method of a recipe that names a class."""
    found = find_class(str(recipe.method), path.parent)
    try:
        return construct(found, recipe.options, device), {}
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _compose(recipe: Recipe, path: Path, device: str, weights: Weights) -> tuple[Method, dict[str, Any]]:
    """Return the method of a recipe made of parts, and its tables with every default filled in."""
    post = None
    if recipe.post_processor is not None:  # first: its file is missing sooner than the large networks are loaded
        post = load_post_process(recipe.post_processor, path, device, weights)
    groups = build_extractors(recipe, path, device, weights)
    matcher, resolved = build_matcher(recipe.matcher or {}, f"{path}: [matcher]")
    extractors, tables = [extractor for extractor, _ in groups], [table for _, table in groups]
    factors, normalise = ([table[key] for table in tables] for key in ("weight", "normalise"))
    method = ComposedMethod(path.stem, extractors, factors, matcher, normalise, post)
    composed: Method = method
    if recipe.alignment is not None:
        composed = _aligned(method, recipe.alignment, device, weights)
    elif recipe.reduction is not None:
        composed = ReducedMethod(method, recipe.reduction)
    return composed, {"features": tables, "matcher": resolved}


def build_extractors(
    recipe: Recipe, path: Path, device: str, weights: Weights
) -> list[tuple[Extractor, dict[str, Any]]]:
    """Return the extractor of each group of features, and its table with every default filled in.

    Raises:
        InputError: a group is malformed, or its weights are missing.
    """
    return [_group(table, device, weights, f"{path}: [[features]] {i}") for i, table in enumerate(recipe.features, 1)]


def _aligned(method: ComposedMethod, alignment: Alignment, device: str, weights: Weights) -> Method:
    from geobench.features.instance_mask import mask_maker

    masks = mask_maker(alignment.mask, alignment.sam_model, device, weights)
    # Its match takes mirror partners as well, which Method says in words only.
    return cast(Method, AlignedMethod(method, alignment, masks))


def _group(table: Mapping[str, Any], device: str, weights: Weights, where: str) -> tuple[Extractor, dict[str, Any]]:
    module = find_part("geobench.features", table.get("extractor"), where)
    model = create_model("Group", __base__=(_Weighted, module.Settings), extractor=(str, ...))
    values = validate(table, model, where)
    settings = own_settings(module, values, {"extractor", *_Weighted.model_fields})
    return make_extractor(module, settings, device, weights), values.model_dump(mode="json")


def build_matcher(table: Mapping[str, Any], where: str) -> tuple[Matcher, dict[str, Any]]:
    """Return the matcher that a table ``[matcher]`` describes, and the table with every default filled in.

    Raises:
        InputError: there is no such matcher, or it has no such setting; ``where`` names the table.
    """
    module = find_part("geobench.matching", table.get("kind"), where)
    values = validate(table, create_model("Matching", __base__=module.Settings, kind=(str, ...)), where)
    return module.Matcher(own_settings(module, values, {"kind"})), values.model_dump(mode="json")
