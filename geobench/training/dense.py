"""The dense objective: the soft-argmax over all target cells shall lie where the keypoint is.

Zhang et al., section 3.3; GeoAware-SC, utils/utils_losses.py:6-19 and model_utils/corr_map_model.py. Places are in
cells, (column, row), whole numbers at the cells' centres.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from geobench.matching.similarity import first_maximum, offsets


class SoftArgmax(nn.Module):
    """Expected place under a softmax over the target's cells.

    Args:
        grid: the number of (columns, rows).
        temperature: similarities are divided by it.
        window: side in cells, odd, of the window around the most similar cell in which the expectation is taken; 0
            for all cells.
        sigma: standard deviation in cells of a Gaussian around the most similar cell; 0 for none.
        masked_take_part: cells outside the window, or far from the Gaussian's middle, stay in the softmax with
            similarity 0, as in the authors' code (corr_map_model.py:82-99); otherwise they are left out, and the
            Gaussian multiplies probabilities.
        trained: the places of columns and rows are parameters, as in the authors' code (corr_map_model.py:13-16:
            ``nn.Parameter`` makes leaves that need gradients whatever the tensor says).
    """

    x_normal: Tensor
    y_normal: Tensor

    def __init__(
        self,
        grid: tuple[int, int],
        temperature: float = 0.02,
        window: int = 0,
        sigma: float = 0.0,
        masked_take_part: bool = False,
        trained: bool = False,
    ) -> None:
        super().__init__()
        self.grid, self.temperature, self.window, self.sigma = grid, temperature, window, sigma
        self.masked_take_part = masked_take_part
        for name, count in zip(("x_normal", "y_normal"), grid, strict=True):
            places = torch.linspace(-1, 1, count)
            if trained:
                self.register_parameter(name, nn.Parameter(places))
            else:
                self.register_buffer(name, places, persistent=False)

    def forward(self, similarity: Float[Tensor, "n hw"]) -> Float[Tensor, "n 2"]:
        """Return the expected (column, row) of each row of similarities."""
        columns, rows = self.grid
        # In float64: where thousands of cells have similar chances, float32 loses the gradient in their sum (1e-4 of
        # its norm on the goldens with a Gaussian). Rows are few, so that it costs little.
        chance = torch.softmax(self._logits(similarity.double()), dim=1).reshape(-1, rows, columns)
        x, y = chance.sum(dim=1) @ self.x_normal.double(), chance.sum(dim=2) @ self.y_normal.double()
        return torch.stack([(x + 1) * (columns - 1) / 2, (y + 1) * (rows - 1) / 2], dim=1).to(similarity.dtype)

    def _logits(self, similarity: Float[Tensor, "n hw"]) -> Float[Tensor, "n hw"]:
        if self.window:
            outside = self._outside(similarity)
            if self.masked_take_part:
                return similarity.masked_fill(outside, 0.0) / self.temperature
            return (similarity / self.temperature).masked_fill(outside, -torch.inf)
        if self.sigma:
            exponent = self._exponent(similarity)
            if self.masked_take_part:
                return similarity * exponent.exp() / self.temperature
            return similarity / self.temperature + exponent
        return similarity / self.temperature

    def _outside(self, similarity: Float[Tensor, "n hw"]) -> Bool[Tensor, "n hw"]:
        column, row = (steps.abs() > self.window // 2 for steps in offsets(first_maximum(similarity), self.grid))
        return (row[:, :, None] | column[:, None, :]).flatten(1)

    def _exponent(self, similarity: Float[Tensor, "n hw"]) -> Float[Tensor, "n hw"]:
        column, row = (steps.square() for steps in offsets(first_maximum(similarity), self.grid))
        return (row[:, :, None] + column[:, None, :]).flatten(1) / (-2 * self.sigma**2)


def end_point_error(predicted: Float[Tensor, "n 2"], truth: Float[Tensor, "n 2"]) -> Float[Tensor, ""]:
    """Return the mean distance of predicted from true places, in cells."""
    return (predicted - truth).norm(dim=1).mean()


def true_places(
    source: Float[Tensor, "n 2"], target: Float[Tensor, "n 2"], from_source_cell: bool = False
) -> Float[Tensor, "n 2"]:
    """Return where the soft-argmax should be for keypoints at ``target``.

    Args:
        source: (x, y) of the keypoints in the source, in cells from the grid's corner.
        target: the same in the target.
        from_source_cell: the authors' code (utils_losses.py:118-122,157-168) compares displacements, the true one
            between points and the predicted one from the whole number of the source's cell: the true place is then
            off by the point's place in its source cell, less half a cell.
    """
    # (x, y) = (0.5, 0.5) is the centre of the first cell, place 0: there the matchers' answer is right.
    return target - (source - source.trunc() if from_source_cell else 0.5)
