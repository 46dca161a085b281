"""A family of recipes: the same features under several matchers, with and without pose alignment.

Written in ``baselines/families/<name>.toml``; made for any recipe's features. Its methods share one description of
each image, so a whole table costs one pass over the images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from geobench.catalog import baselines_folder
from geobench.errors import UsageError, nearest_names
from geobench.fingerprint import digest
from geobench.methods.alignment import AlignedMethod, Alignment, Plain, PosedDescription
from geobench.methods.base import LoadedMethod
from geobench.methods.loader import load_method
from geobench.methods.recipe import ComposedMethod, build_matcher
from geobench.typed_toml import StrictModel, load_model

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from geobench.features.instance_mask import MaskMaker
    from geobench.picture import Picture
    from geobench.posing import Pose

Slug = Annotated[str, Field(pattern=r"^[a-z0-9.-]+$")]


class Variant(StrictModel):
    """One row of the table: ``name`` for folders, ``title`` for people, and what a recipe says under [matcher]."""

    name: Slug
    title: str
    matcher: dict[str, Any]


class TrainedRow(StrictModel):
    """A row that is trained first: what it says under [loss] and [training] beside what the recipe says.

    Attributes:
        start: name of an earlier row whose weights it begins with.
    """

    name: Slug
    title: str
    start: Slug | None = None
    loss: dict[str, Any] = {}
    training: dict[str, Any] = {}


class Family(StrictModel):
    """A table to print for any features.

    Attributes:
        title: what it shows; ``source`` says after whom.
        rows: networks that are trained on the features first (:mod:`geobench.training.ablation`); none by default.
        training: what they say under [training] unless a row says otherwise.
        matcher: of the features as they are and of the trained rows.
        variants: the matchers; of the last trained row, where rows are trained.
        alignment: what a recipe says under [alignment], for a second round of the same rows; none by default.
    """

    title: str
    source: str = ""
    rows: tuple[TrainedRow, ...] = ()
    training: dict[str, Any] = {}
    matcher: dict[str, Any] = {"kind": "nearest"}
    variants: Annotated[tuple[Variant, ...], Field(min_length=1)]
    alignment: Alignment | None = None


@dataclass
class LastChoice:
    """The pose chosen for the pair at hand, which the aligned members of a family share."""

    pair: tuple[PosedDescription, PosedDescription] | None = None
    pose: Pose | None = field(default=None)


class AlignedMember(AlignedMethod):
    """A member of a family with pose alignment; ``last`` is shared with the others."""

    def __init__(self, method: Plain, settings: Alignment, masks: MaskMaker, last: LastChoice) -> None:
        super().__init__(method, settings, masks)
        self.last = last

    def choose(self, source: PosedDescription, target: PosedDescription) -> Pose:
        """Return the pose of the least distance to the target, found once per pair."""
        pair, pose = self.last.pair, self.last.pose
        if pose is None or pair is None or pair[0] is not source or pair[1] is not target:
            pose = super().choose(source, target)
            self.last.pair, self.last.pose = (source, target), pose
        return pose


class PlainMember:
    """A member of a family without pose alignment, which reads the description of the aligned ones."""

    def __init__(self, method: ComposedMethod, aligned: AlignedMethod) -> None:
        self.name, self.method, self.aligned = method.name, method, aligned

    def describe(self, picture: Picture) -> PosedDescription:
        """Return the description of one image in any pose."""
        return self.aligned.describe(picture)

    @property
    def batch(self) -> int:
        """How many images are described together."""
        return self.aligned.batch

    def describe_many(self, pictures: Sequence[Picture], seeds: Sequence[int]) -> list[PosedDescription]:
        """Return the description of each picture in any pose."""
        return self.aligned.describe_many(pictures, seeds)

    def match(
        self, source: PosedDescription, target: PosedDescription, points: Float[Tensor, "n 2"]
    ) -> Float[Tensor, "n 2"]:
        """Return where ``points`` lie in the target image, with the source as it is."""
        return self.method.match(source.map(), target.map(), points)

    @property
    def matches_many(self) -> bool:
        """Whether the matcher can take the points of several source images at once."""
        return self.method.matches_many

    def match_many(
        self, sources: Sequence[PosedDescription], target: PosedDescription, points: Sequence[Float[Tensor, "n 2"]]
    ) -> Sequence[Float[Tensor, "n 2"]]:
        """Return :meth:`match` of each source with the target, the target map being read once for all."""
        return self.method.match_many([source.map() for source in sources], target.map(), points)


def family_names() -> list[str]:
    """Return the names of the families of the catalogue, sorted."""
    return sorted(path.stem for path in (baselines_folder() / "families").glob("*.toml"))


def find_family(name_or_path: str) -> Family:
    """Return a family by its name in the catalogue or by the path of a ``.toml`` file.

    Raises:
        UsageError: there is none of this name.
        InputError: the file is malformed.
    """
    path = Path(name_or_path)
    if not name_or_path.endswith(".toml"):
        path = baselines_folder() / "families" / f"{name_or_path}.toml"
    if not path.is_file():
        raise UsageError(f"unknown family {name_or_path!r}{nearest_names(name_or_path, family_names())}")
    return load_model(path, Family)


def family_members(recipe: str, family: Family, *, device: str = "cpu", aligned: bool = True) -> list[LoadedMethod]:
    """Return the members of a family for the features of a recipe; the first one describes for all.

    Args:
        recipe: catalogue name or path of a recipe of [[features]] and [matcher].
        family: the rows.
        device: torch device.
        aligned: also make every row with pose alignment, where the family has it.

    Raises:
        UsageError: the recipe is not one of features and a matcher, or is aligned already.
    """
    base = load_method(recipe, device=device)
    if not isinstance(base.method, ComposedMethod):
        raise UsageError(
            f"{recipe}: a family needs a recipe of [[features]] and [matcher] without [alignment] or [reduction]"
        )
    alignment = family.alignment if aligned else None
    plain = [with_matcher(base, base.method, variant) for variant in family.variants]
    if alignment is None:
        return plain
    last, (masks, loaded) = LastChoice(), _masks(alignment, device)
    turned = [_aligned(member, alignment, masks, last) for member in plain]
    turned = [replace(member, weights=member.weights | loaded) for member in turned]
    return [_reading(a, b) for a, b in zip(plain, turned, strict=True)] + turned


def with_matcher(base: LoadedMethod, method: ComposedMethod, variant: Variant) -> LoadedMethod:
    """Return a method with another matcher, described as before."""
    matcher, resolved = build_matcher(variant.matcher, f"{variant.name}: [matcher]")
    name = f"{base.name}-{variant.name}"
    recipe = base.recipe | {"title": f"{base.title}: {variant.title}", "matcher": resolved}
    return replace(
        base,
        method=ComposedMethod(name, method.extractors, method.weights, matcher, method.normalise, method.post_process),
        name=name,
        title=recipe["title"],
        recipe=recipe,
        source_sha256=digest([base.source_sha256, recipe]),
    )


def _masks(alignment: Alignment, device: str) -> tuple[MaskMaker, dict[str, str]]:
    """Return what makes the masks of all members, and the hashes of its weights."""
    from geobench.features.instance_mask import mask_maker
    from geobench.features.weights import Weights

    weights = Weights()
    return mask_maker(alignment.mask, alignment.sam_model, device, weights), weights.loaded


def _aligned(member: LoadedMethod, alignment: Alignment, masks: MaskMaker, last: LastChoice) -> LoadedMethod:
    title = f"{member.title}, aligned"
    recipe = member.recipe | {"title": title, "alignment": alignment.model_dump(mode="json")}
    plain: Any = member.method
    method: Any = AlignedMember(plain, alignment, masks, last)
    return replace(member, method=method, name=f"{member.name}-aligned", title=title, recipe=recipe)


def _reading(member: LoadedMethod, aligned: LoadedMethod) -> LoadedMethod:
    if not (isinstance(member.method, ComposedMethod) and isinstance(aligned.method, AlignedMethod)):
        raise TypeError(f"{member.name} is not composed")
    return replace(member, method=PlainMember(member.method, aligned.method))
