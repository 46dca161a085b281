"""The loss of a training pair: sparse and dense objective of the pair and of its mirrored variants.

By default what the paper says (Zhang et al., section 3.3); with ``as_published_code`` what GeoAware-SC's code computes
(utils/utils_losses.py:141-214; docs/errata.md, "Training losses"). Only the rows of the query points are computed,
[n, hw], never the whole [hw, hw] table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from geobench.errors import InputError
from geobench.training.augmentation import TERMS, Term, similarities, terms_of
from geobench.training.dense import SoftArgmax, end_point_error, true_places
from geobench.training.perturbation import perturbed
from geobench.training.sparse import contrastive_loss
from geobench.training.views import ShownPair, ViewPair, post_processed
from geobench.typed_toml import StrictModel

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class LossSettings(StrictModel):
    """The table ``[loss]`` of a training recipe.

    Attributes:
        sparse: contrastive loss of the keypoints' descriptors.
        dense: end-point error of the soft-argmax over all cells.
        double_flip: weight of the double-flip term beside the pair's 1 (pck_train.py:363: 1, 1, 0.25); 0 leaves it out.
        single_flip: of the single-flip term; by default 1, as published 0, since the code never reaches it.
        self_flip: of the self-flip term.
        perturbation: two standard deviations of the noise on the ground truth, as a share of the target's box.
        temperature: of the soft-argmax.
        window: side in cells of its window, odd; 0 for all cells.
        sigma: standard deviation in cells of its Gaussian; 0 for none.
        as_published_code: reproduce GeoAware-SC's code.
    """

    sparse: bool = True
    dense: bool = True
    double_flip: Weight = 1.0
    single_flip: Weight | None = None
    self_flip: Weight = 0.25
    perturbation: Weight = 0.1
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.02
    window: Annotated[int, Field(ge=0)] = 0
    sigma: Weight = 0.0
    as_published_code: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> LossSettings:
        if not (self.sparse or self.dense):
            raise ValueError("sparse and dense are both off; leave one on")
        if self.window and (self.window % 2 == 0 or self.sigma):
            raise ValueError("window must be odd, so that it has a middle, and goes without sigma")
        if self.as_published_code and not self.sparse:
            raise ValueError("as_published_code has no loss without its sparse part; leave sparse on")
        return self

    @property
    def weights(self) -> tuple[float, float, float]:
        """The weights of double, single and self flip."""
        single = (0.0 if self.as_published_code else 1.0) if self.single_flip is None else self.single_flip
        return self.double_flip, single, self.self_flip

    @property
    def needs_mirrored(self) -> bool:
        """Whether the mirror images of a pair have to be described."""
        return any(self.weights)


@dataclass(frozen=True, eq=False)
class LossTerms:
    """A loss and what it is made of.

    Attributes:
        total: what is minimised.
        parts: each term's unweighted losses without gradient, by names such as ``pair sparse``.
        counts: of a batch: how many of its pairs have each part.
    """

    total: Float[Tensor, ""]
    parts: dict[str, Tensor]
    counts: dict[str, int] = field(default_factory=dict)


class Objective(nn.Module):
    """The loss of a pair.

    As published, its two parameters are the places of the soft-argmax's columns and rows, which the authors' optimiser
    trains with the network, and which are never saved. By default it has none.

    Args:
        settings: what it is made of.
        grid: the number of (columns, rows) of the maps.
    """

    def __init__(self, settings: LossSettings, grid: tuple[int, int] = (60, 60)) -> None:
        super().__init__()
        self.settings = settings
        published = settings.as_published_code
        self.soft_argmax = SoftArgmax(
            grid, settings.temperature, settings.window, settings.sigma, masked_take_part=published, trained=published
        )

    @property
    def part_names(self) -> tuple[str, ...]:
        """The names of every part that a loss can have."""
        return tuple(f"{term} {kind}" for term in TERMS for kind in ("sparse", "dense"))

    def forward(self, pair: ViewPair, scale: Float[Tensor, ""], generator: torch.Generator | None = None) -> LossTerms:
        """Return the weighted mean of the pair's terms.

        Args:
            pair: its images, with mirror images where the settings need them.
            scale: of the contrastive loss, 1 / temperature.
            generator: what the perturbation is drawn from; by default torch's own.

        Raises:
            InputError: no keypoint is visible in both images.
        """
        terms = terms_of(pair, *self.settings.weights)
        if not terms or terms[0].name != "pair":
            raise InputError("a training pair has no keypoint that is visible in both images; leave the pair out")
        with torch.autocast(scale.device.type, enabled=False):
            losses = [self._sparse(term, scale) for term in terms]
            if self.settings.dense:
                for found, error in zip(losses, self._dense(terms, generator), strict=True):
                    found["dense"] = error
        weights = scale.new_tensor([term.weight for term in terms])
        sums = torch.stack([torch.stack(list(found.values())).sum() for found in losses])
        named = zip(terms, losses, strict=True)
        parts = {f"{term.name} {name}": one.detach() for term, found in named for name, one in found.items()}
        return LossTerms((weights * sums).sum() / weights.sum(), parts)

    def _sparse(self, term: Term, scale: Tensor) -> dict[str, Tensor]:
        """Return the contrastive loss of a term; nothing where it has none."""
        settings = self.settings
        # As published, variants have no contrastive part beside a dense one (utils_losses.py:124-137).
        left_out = settings.as_published_code and settings.dense and term.name != "pair"
        if left_out or not settings.sparse:
            return {}
        return {"sparse": contrastive_loss(term.queries, term.target.keypoints[term.common], scale)}

    def _dense(self, terms: Sequence[Term], generator: torch.Generator | None) -> list[Tensor]:
        """Return the end-point error of each term."""
        share, published = self.settings.perturbation, self.settings.as_published_code
        places = self.soft_argmax(torch.cat(similarities(terms)))
        errors = []
        for term, predicted in zip(terms, torch.split(places, [len(term.common) for term in terms]), strict=True):
            truth = true_places(term.source.points[term.common], term.target.points[term.common], published)
            errors.append(end_point_error(predicted, perturbed(truth, term.target.size, share, generator)))
        return errors


def batch_loss(
    network: Callable[[Tensor], Tensor],
    objective: Objective,
    pairs: Sequence[ShownPair],
    scale: Float[Tensor, ""],
    generator: torch.Generator | None = None,
) -> LossTerms:
    """Return the mean loss of a batch of pairs; the post-processor runs once per distinct image.

    Args:
        network: the post-processor, or what wraps it.
        objective: the loss of a pair.
        pairs: the batch.
        scale: of the contrastive loss (:attr:`geobench.training.post_processor.PostProcessor.scale`).
        generator: what perturbations are drawn from.

    Raises:
        InputError: a pair has no keypoint that is visible in both images.
    """
    found = [objective(pair, scale, generator) for pair in post_processed(network, pairs)]
    names = dict.fromkeys(name for one in found for name in one.parts)
    parts = {name: torch.stack([one.parts[name] for one in found if name in one.parts]).mean() for name in names}
    counts = {name: sum(name in one.parts for one in found) for name in names}
    return LossTerms(torch.stack([one.total for one in found]).mean(), parts, counts)
