"""The goldens' evaluation runs: what each evaluated, and its scores by this code."""

from __future__ import annotations

import numpy as np
import pandas as pd
from geoaware_goldens import GEOAWARE, PRINTED, golden, image_ids, predictions_from_frame, run_split, values

from geobench.benchmark import Pairs
from geobench.evaluation.predictions import Predictions
from geobench.evaluation.protocol import Protocol, Sampling
from geobench.evaluation.queries import pair_weights
from geobench.evaluation.scores import score

RUNS = golden("pck_runs")["runs"]


def protocol_of(settings: dict) -> Protocol:
    """Return the preset with the settings of one run."""
    changes: dict = {"averaging": "per-point" if settings.get("KPT_RESULT") else "per-image"}
    changes["alphas"] = (0.10, 0.05, 0.15) if settings["EVAL_DATASET"] == "pascal" else PRINTED
    if settings.get("IMG_THRESHOLD"):
        changes["size"] = "image"
    if settings.get("TEST_SAMPLE"):
        changes["sampling"] = Sampling(per_category=settings["TEST_SAMPLE"])
    return GEOAWARE.model_copy(update=changes)


def named(pair: dict) -> tuple[str, str]:
    """Return the bare names of a golden pair's images."""
    source, target = (pair[end].rsplit("/", 1)[1].removesuffix(".jpg") for end in ("src", "trg"))
    return source, target


class Case:
    """One golden run: what it evaluated, and its scores by this code."""

    def __init__(self, name: str) -> None:
        self.golden = RUNS[name]
        self.settings = self.golden["settings"]
        self.protocol = protocol_of(self.settings)
        self.benchmark, self.split = run_split(self.settings, self.golden["split"])
        labels = list(self.golden["categories"])
        every = self.benchmark.split(self.split)
        self.pairs = every.take(np.isin(every.category, labels))  # the authors leave king cheetah out of val
        self.weight = pair_weights(self.pairs, self.protocol.sampling)
        self.order = self._order()
        stored = golden("pck_preds.npz")[name]
        in_frame = np.full((len(self.pairs), 30, 2), np.nan, np.float32)
        in_frame[self.order] = stored
        self.predictions = predictions_from_frame(self.benchmark, self.pairs, self.protocol, in_frame)
        self.scores = self.score(self.pairs, self.predictions, self.protocol)

    def _order(self) -> np.ndarray:
        """Return the row of our pairs for each of the golden's, which may repeat."""
        rows = [
            row
            for label in self.golden["categories"]
            for row in np.flatnonzero(self.pairs.category == label)[self._drawn(label)]
        ]
        ours = [image_ids(self.benchmark, self.pairs)[row] for row in rows]
        theirs = [
            tuple(p[k].rsplit("/", 1)[1].removesuffix(".jpg") for k in ("src", "trg")) for p in self.golden["pairs"]
        ]
        assert ours == theirs
        return np.array(rows)

    def _drawn(self, label: str) -> np.ndarray:
        n = int((self.pairs.category == label).sum())
        if self.protocol.sampling is None:
            return np.arange(n)
        np.random.seed(42)  # noqa: NPY002 - as the authors do
        return np.random.choice(n, self.protocol.sampling.per_category)  # noqa: NPY002

    def score(self, pairs: Pairs, predictions: Predictions, protocol: Protocol) -> pd.DataFrame:
        return score(self.benchmark, pairs, predictions, protocol, self.split)

    def values(self, scope: str, subset: str, metric: str) -> tuple[np.ndarray, int]:
        return values(self.scores, scope, subset, metric)
