"""The table ``[post_processor]`` of a recipe: a trained network between the features and the matcher.

Every level of every group, as its extractor gives it and not normalised, is brought to the finest grid; the network
makes one descriptor per cell of their concatenation, and that is brought to unit length (GeoAware-SC,
pck_train.py:41-77 with ``DUMMY_NET`` off). What is described, aligned and stored are these descriptors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from geobench.errors import InputError
from geobench.files import sha256_of
from geobench.typed_toml import StrictModel

if TYPE_CHECKING:
    from geobench.features.feature_map import FeatureMap
    from geobench.features.levels import Levels
    from geobench.features.weights import Weights
    from geobench.training.post_processor import PostProcessor

PART = "post-processor"
"""Its name for ``--weights``."""

_TINY = 128  # channels of --random-weights' tiny network, the fewest that group norm takes


class PostProcessing(StrictModel):
    """The table ``[post_processor]`` of a recipe.

    Attributes:
        weights: a file beside the recipe, or the name of one in geobench's folder of weights; ``--weights
            post-processor=FILE`` names another. Widths are read off the file.
        source: where a person fetches that file, for the message where it is absent.
        channels: of a descriptor; for ``--random-weights`` only.
    """

    weights: Annotated[str, Field(min_length=1)] = "post_processor.safetensors"
    source: str = "whoever trained it"
    channels: Annotated[int, Field(ge=_TINY, multiple_of=_TINY)] = 768


class PostProcess:
    """Groups of features of one image to its map of descriptors of unit length.

    Args:
        make: the network for groups of so many channels; called once, when the first image shows how many there are.
        where: file and table of the recipe, for messages.
        device: where the network runs.
    """

    def __init__(self, make: Callable[[tuple[int, ...]], PostProcessor], where: str, device: str = "cpu") -> None:
        self.make, self.where, self.device = make, where, device
        self.network: PostProcessor | None = None

    def __call__(self, found: Sequence[FeatureMap | Levels]) -> FeatureMap:
        """Return the descriptors of one image.

        Args:
            found: what each extractor of the recipe gave.

        Raises:
            InputError: the groups are not those that the network takes, or show different parts of the image.
        """
        import torch

        raw, groups = grouped(found)
        if self.network is None:
            self.network = self.make(groups).eval().requires_grad_(False).to(self.device)
        if self.network.groups != groups:
            raise InputError(
                f"{self.where}: the weights are for groups of {_listed(self.network.groups)} channels, the recipe's "
                f"features have {_listed(groups)}; name the weights of these features, or the features of these weights"
            )
        with torch.no_grad():
            return descriptors(self.network, raw)

    def source(self) -> list[str]:
        """Return the SHA-256 of the code that descriptors depend on, for the key of stored ones."""
        from geobench.training import post_processor

        return [sha256_of(Path(file)) for file in (__file__, str(post_processor.__file__))]


def load_post_process(settings: PostProcessing, recipe: Path, device: str, weights: Weights) -> PostProcess:
    """Return the post-processor of a recipe.

    Args:
        settings: its table.
        recipe: the recipe's file, beside which its weights may lie.
        device: where the network runs.
        weights: where weights come from.

    Raises:
        InputError: the weights are absent or damaged, or are no post-processor's.
    """
    beside, named = recipe.parent / settings.weights, Path(settings.weights).name
    if beside.is_file() and PART not in weights.chosen:
        named = str(beside.resolve())
    path = weights.file(PART, named, settings.source)
    where = f"{recipe}: [post_processor]"
    if path is None:
        channels = _TINY if weights.random == "tiny" else settings.channels
        return PostProcess(lambda groups: random_network(groups, channels), where, device)
    from geobench.training.adapters import load_post_processor

    network = load_post_processor(path)
    return PostProcess(lambda _: network, where, device)


def random_network(groups: Sequence[int], channels: int, seed: int = 0) -> PostProcessor:
    """Return a post-processor of seeded random weights, the same for the same widths and seed."""
    from geobench.seeding import seed_for, seeded
    from geobench.training.post_processor import PostProcessor

    with seeded(seed_for(seed, PART, *map(str, groups), str(channels))):
        return PostProcessor(groups, channels)


def descriptors(network: PostProcessor, raw: FeatureMap) -> FeatureMap:
    """Return the map of descriptors of unit length that a network makes of an image's raw features."""
    from geobench.features.feature_map import FeatureMap, unit_length

    return FeatureMap(unit_length(network(raw.features[None].float())[0]), raw.letterbox)


def grouped(found: Sequence[FeatureMap | Levels]) -> tuple[FeatureMap, tuple[int, ...]]:
    """Return what a post-processor takes of one image, and the channels of each of its groups.

    Every level is a group; all are interpolated bilinearly to the finest grid and concatenated, as they are
    (GeoAware-SC, pck_train.py:55-61: s3, s4, s5, DINOv2). Points are read in the frame of that grid.

    Args:
        found: what each extractor gave.

    Raises:
        InputError: two groups show different parts of the image.
    """
    import torch

    from geobench.features.feature_map import FeatureMap, on_one_grid
    from geobench.features.levels import Levels

    levels = [level for one in found for level in (one.maps if isinstance(one, Levels) else [one])]
    frame, parts = on_one_grid(levels)
    return FeatureMap(torch.cat(parts), frame.letterbox), tuple(len(part) for part in parts)


def _listed(groups: Sequence[int]) -> str:
    return ", ".join(map(str, groups))
