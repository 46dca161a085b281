"""What docs/errata.md says about masked cells in the softmax is measured here, and must stand in the document."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from matching_goldens import archive, as_fed

from geobench.matching import gaussian_soft_argmax, nearest, window_soft_argmax

DOCUMENT = (Path(__file__).parents[2] / "docs" / "errata.md").read_text(encoding="utf-8")
ROWS = [(case, kind) for case in ("main", "lowsim", "allneg") for kind in ("window 5", "window 15", "sigma 5")]


def matcher_of(kind: str, masked: str):
    name, size = kind.split()
    if name == "window":
        settings = window_soft_argmax.Settings(window=int(size), masked=masked, padding="searched")
        return window_soft_argmax.Matcher(settings)
    settings = gaussian_soft_argmax.Settings(sigma=float(size), masked=masked, padding="searched")
    return gaussian_soft_argmax.Matcher(settings)


def measured(case: str, kind: str) -> str:
    stored = archive("matching")
    source, target = as_fed(stored[f"{case}/desc1"]), as_fed(stored[f"{case}/desc2"])
    points = torch.from_numpy(stored[f"{case}/kps1"][:, :2])
    best = nearest.searched_similarity(source, target, points, "searched").amax(dim=1)
    zero, proper = (matcher_of(kind, masked)(source, target, points) for masked in ("zero", "excluded"))
    moved = (zero - proper).norm(dim=1).numpy()
    figures = [f"{best.min():.2f} to {best.max():.2f}"]
    # Below a hundredth of a pixel the last bits of a processor's arithmetic decide the digits.
    figures += ["< 0.01" if value < 0.01 else f"{value:.0f}" for value in (np.median(moved), moved.max())]
    return f"| `{case}` | {figures[0]} | {kind} | {figures[1]} | {figures[2]} |"


@pytest.mark.parametrize(("case", "kind"), ROWS)
def test_the_table_of_the_document(case, kind):
    assert measured(case, kind) in DOCUMENT
