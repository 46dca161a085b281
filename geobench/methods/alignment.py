"""Adaptive pose alignment: describe the source image in several poses, match the pose nearest to the target.

GeoAware-SC, section 3.2: the pose is chosen by the instance matching distance of its features to the target's, and the
keypoints are carried through their mirror partners, since the mirrored left paw is where the right paw is looked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

from pydantic import Field, field_validator

from geobench.errors import nearest_names
from geobench.posing import IDENTITY, POSES, Pose
from geobench.seeding import seed_for, seeded
from geobench.typed_toml import StrictModel

if TYPE_CHECKING:
    from jaxtyping import Float, Int64
    from torch import Tensor

    from geobench.features.feature_map import FeatureMap
    from geobench.features.instance_mask import MaskMaker
    from geobench.matching.distance import InstanceCells
    from geobench.picture import Picture


class Alignment(StrictModel):
    """The table ``[alignment]`` of a recipe.

    Attributes:
        poses: names of the poses to try (:data:`geobench.posing.POSES`); ``identity`` is always among them.
        distance: ``masked-nearest`` or ``mutual-nearest`` (:mod:`geobench.matching.distance`).
        mask: where instance masks come from (:mod:`geobench.features.instance_mask`); for ``masked-nearest`` only.
        resolution: cells per side at which ``masked-nearest`` compares.
        zeros: ``exclude`` compares the instances, and takes an empty mask as the whole frame; ``far`` is the authors'
            handling of masks and zeros.
        unpaired: what answers for a keypoint whose mirror partner is not asked, when a mirrored pose is taken:
            ``unflipped`` the prediction from the picture as it is (pck_train.py:133-148); ``own-point`` the keypoint's
            own place in the mirrored picture.
        carry: where points are carried into a pose: ``image``; or ``frame``, in the padded model frame as in the
            authors' code (utils/utils_geoware.py:199-204), up to a model pixel beside their place in the posed image.
        sam_model: name or folder of Segment Anything's weights, for ``mask = "sam"``.
    """

    poses: tuple[str, ...] = ("identity", "mirror")
    distance: Literal["masked-nearest", "mutual-nearest"] = "masked-nearest"
    mask: Literal["dataset", "box", "sam"] = "dataset"
    resolution: Annotated[int, Field(ge=1, le=512)] = 64
    zeros: Literal["exclude", "far"] = "exclude"
    unpaired: Literal["unflipped", "own-point"] = "unflipped"
    carry: Literal["image", "frame"] = "image"
    sam_model: str = "facebook/sam-vit-base"

    @field_validator("poses")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in names if name not in POSES]
        if unknown:
            raise ValueError(f"unknown pose {unknown[0]!r}{nearest_names(unknown[0], POSES)}")
        if "identity" not in names or len(set(names)) != len(names):
            raise ValueError("name identity and each other pose once")
        return names


class Plain(Protocol):
    """The method that is aligned: it describes an image by a feature map."""

    name: str

    def describe(self, picture: Picture) -> FeatureMap:
        """Return the feature map of one image."""
        ...

    @property
    def batch(self) -> int:
        """How many images are described together."""
        ...

    def describe_many(self, pictures: Sequence[Picture], seeds: Sequence[int]) -> list[FeatureMap]:
        """Return the feature map of each picture, drawn with its own seed."""
        ...

    def match(self, source: FeatureMap, target: FeatureMap, points: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2"]:
        """Return where ``points`` lie in the target image."""
        ...


class PosedDescription:
    """The descriptions of one picture in its poses, each made when first asked for and then kept.

    Args:
        picture: the picture as the dataset has it.
        method: what describes it.
        masks: picture and model frame to instance mask.
        settings: the poses and how one is chosen.
        described: the picture's description as it is, if it has been made.
        seed: what that was seeded with; by default what torch is seeded with.

    Attributes:
        picture: the picture as the dataset has it.
    """

    def __init__(
        self,
        picture: Picture,
        method: Plain,
        masks: MaskMaker,
        settings: Alignment,
        described: FeatureMap | None = None,
        seed: int | None = None,
    ) -> None:
        import torch

        self.picture = picture
        self._method, self._masks, self._resolution = method, masks, settings.resolution
        self._whole_if_empty = settings.zeros == "exclude"
        # What seeded the description of the picture itself seeds its other poses, whichever pair asks first.
        self._seed = torch.initial_seed() if seed is None else seed
        self._maps: dict[Pose, FeatureMap] = {IDENTITY: method.describe(picture) if described is None else described}
        self._instances: dict[Pose, InstanceCells] = {}

    def map(self, pose: Pose = IDENTITY) -> FeatureMap:
        """Return the feature map of the picture in a pose."""
        if pose not in self._maps:
            posed = self.picture.posed(pose)
            with seeded(seed_for(self._seed, posed.key)):
                self._maps[pose] = self._method.describe(posed)
        return self._maps[pose]

    def instance(self, pose: Pose = IDENTITY) -> InstanceCells:
        """Return the feature vectors of the instance in a pose; of all cells of the frame where its mask has none."""
        if pose not in self._instances:
            from geobench.matching.distance import instance_cells, sampled_mask

            described = self.map(pose)
            mask = sampled_mask(self._masks(self.picture.posed(pose), described.letterbox), self._resolution)
            if self._whole_if_empty and not bool(mask.any()):
                mask = ~mask
            mask = mask.to(described.features.device)
            self._instances[pose] = instance_cells(described.features, mask, self._resolution)
        return self._instances[pose]

    def snapshot_parts(self) -> Sequence[object]:
        """Return what a match must not change: what has been described lazily is not part of it."""
        return [self.picture.key, self._seed, self._maps[IDENTITY]]


class AlignedMethod:
    """A method of features and matcher, with the source in the pose nearest to the target.

    Args:
        method: what describes and matches.
        settings: the poses and how one is chosen.
        masks: picture and model frame to instance mask.
    """

    uses_mirror_index = True

    def __init__(self, method: Plain, settings: Alignment, masks: MaskMaker) -> None:
        self.name = method.name
        self.method = method
        self.settings = settings
        self.masks = masks
        names = ("identity", *(name for name in settings.poses if name != "identity"))
        self.poses = [Pose.named(name) for name in names]

    def describe(self, picture: Picture) -> PosedDescription:
        """Return the description of one image; other poses than its own are described when a pair needs them."""
        return PosedDescription(picture, self.method, self.masks, self.settings)

    @property
    def batch(self) -> int:
        """How many images are described together, as they are."""
        return self.method.batch

    def describe_many(self, pictures: Sequence[Picture], seeds: Sequence[int]) -> list[PosedDescription]:
        """Return the description of each picture, the pictures as they are being described together."""
        from geobench.features.footprint import owning

        found = self.method.describe_many(pictures, seeds)
        return [
            PosedDescription(picture, self.method, self.masks, self.settings, owning(described), seed)
            for picture, described, seed in zip(pictures, found, seeds, strict=True)
        ]

    def match(
        self,
        source: PosedDescription,
        target: PosedDescription,
        points: Float[Tensor, "n 2"],
        partner: Int64[Tensor, " n"],
    ) -> Float[Tensor, "n 2"]:
        """Return where ``points`` lie in the target image, (x, y) in pixels of the original images.

        Args:
            source: description of the source image.
            target: description of the target image.
            points: (x, y) in pixels of the original source image.
            partner: row of each point's mirror partner, its own row where it has none, -1 where it is not asked.
        """
        pose = self.choose(source, target)
        if not pose.mirrored:
            return self.answer(source, target, points, pose)
        own = partner.new_tensor(range(len(partner)))
        answers = self.answer(source, target, points[partner.where(partner >= 0, own)], pose)
        if self.settings.unpaired == "own-point" or bool((partner >= 0).all()):
            return answers
        unflipped = self.answer(source, target, points, IDENTITY)
        return answers.where((partner >= 0)[:, None], unflipped)

    def answer(
        self, source: PosedDescription, target: PosedDescription, points: Float[Tensor, "n 2"], pose: Pose
    ) -> Float[Tensor, "n 2"]:
        """Return where ``points`` of the source picture, carried into ``pose``, lie in the target image."""
        if pose == IDENTITY:
            return self.method.match(source.map(), target.map(), points)
        if self.settings.carry == "image":
            moved = pose.points(points, source.picture.size)
        else:
            before, after = source.map().letterbox, source.map(pose).letterbox
            # In double precision: points often lie on the border of two cells, where the last bit decides.
            moved = after.to_image(pose.points(before.to_model(points.double()), before.size)).to(points.dtype)
        return self.method.match(source.map(pose), target.map(), moved)

    def choose(self, source: PosedDescription, target: PosedDescription) -> Pose:
        """Return the pose of the least distance to the target.

        Among equals the earlier one, the identity first: another pose must be strictly nearer
        (utils/utils_geoware.py:273). A distance that is not a number never wins.
        """
        best, least = IDENTITY, float("inf")
        if len(self.poses) == 1:
            return best
        for pose in self.poses:
            distance = self.distance(source, target, pose)
            if distance != distance and pose == IDENTITY:
                return IDENTITY
            if distance < least:
                best, least = pose, distance
        return best

    def distance(self, source: PosedDescription, target: PosedDescription, pose: Pose) -> float:
        """Return the distance of the source image in a pose to the target image."""
        from geobench.matching.distance import masked_nearest, mutual_nearest

        if self.settings.distance == "mutual-nearest":
            return mutual_nearest(source.map(pose).features, target.map().features)
        return masked_nearest(source.instance(pose), target.instance(), self.settings.zeros)
