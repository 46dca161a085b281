"""Protocol: how predictions are counted, as data. The presets are TOML files beside this one."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from geobench.errors import UsageError, nearest_names
from geobench.features.letterbox import FrameKind
from geobench.fingerprint import digest
from geobench.typed_toml import StrictModel, load_model

_PRESETS = Path(__file__).parent / "presets"
_NAMES_ONLY = frozenset({"name", "title", "source"})

Comparison = Literal["<=", "<"]
Arithmetic = Literal["float64", "float32-alpha", "float32", "ratio"]
Averaging = Literal["per-image", "per-point"]


class Frame(StrictModel):
    """The pixels that errors and thresholds are measured in (see :mod:`geobench.features.letterbox`).

    Attributes:
        kind: ``original`` pixels of the image, or the model frame ``pad``, ``squash`` or ``longest-side``.
        side: length of the model frame's (longer) side in pixels; none for ``original``.
    """

    kind: FrameKind = "original"
    side: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _side_fits_kind(self) -> Frame:
        if (self.side is None) != (self.kind == "original"):
            raise ValueError("give a side for pad, squash and longest-side, and none for original")
        return self


class Sampling(StrictModel):
    """Drawing pairs of each category **with replacement** (utils/utils_dataset.py:156-158 of GeoAware-SC).

    Attributes:
        per_category: pairs drawn of each category; may exceed the number there is.
        seed: seed of NumPy's legacy generator, set anew for every category.
    """

    per_category: Annotated[int, Field(ge=1)]
    seed: Annotated[int, Field(ge=0)] = 42


class Protocol(StrictModel):
    """How predictions become PCK.

    Attributes:
        name: slug of the protocol.
        title: one line for people.
        source: the paper section or the files that count this way.
        alphas: the thresholds' factors, in the order they are reported.
        comparison: whether an error equal to the threshold is correct (``<=``) or not (``<``).
        arithmetic: how alpha * size is computed, which decides exact ties: ``float64``; ``float32-alpha``: alpha
            rounded to float32, then multiplied in float64; ``float32``: all in float32; ``ratio``: error / size is
            compared with alpha, in float64.
        size: whose longer side alpha multiplies: the ``bbox``, the ``image``, or what the ``benchmark`` says; or
            ``padded-keypoints``: the box of the visible keypoints and of the point (-1, -1) of the frame, with which
            lists of keypoints are filled up (data/pfwillow.py get_pckthres of DHPF).
        box: which image of the pair, as the benchmark orders it, gives the size.
        frame: the pixels that errors and sizes are measured in.
        direction: ``source-to-target``: points of the source are asked for in the target; or the reverse.
        averaging: the headline; both are always computed.
        geometry_rule: ``subgroups``: the definition. ``renumbered-per-point``: the same per image, but per point with
            the subgroups that pck_train.py:96-102 of GeoAware-SC ends up with (:mod:`geobench.evaluation.geometry`).
        occluded: ``as-is``, or ``halved``: keypoints with flag 1 have x and y halved in the frame
            (utils/utils_dataset.py:34,183 of GeoAware-SC).
        query_rounding: ``none``, or ``truncate-and-clamp``: query points are truncated to whole pixels of the frame
            and clamped into it (utils_training/utils.py:73-85 of CATs).
        empty_pair: a pair without a mutually visible keypoint is left out (``skip``) or makes every per-image mean
            that it is in NaN (``nan``).
        sampling: draw pairs instead of counting all.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
    title: str
    source: str
    alphas: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)]
    comparison: Comparison = "<="
    arithmetic: Arithmetic = "float64"
    size: Literal["benchmark", "bbox", "image", "padded-keypoints"] = "benchmark"
    box: Literal["target", "source"] = "target"
    frame: Frame = Frame()
    direction: Literal["source-to-target", "target-to-source"] = "source-to-target"
    averaging: Averaging = "per-image"
    geometry_rule: Literal["subgroups", "renumbered-per-point"] = "subgroups"
    occluded: Literal["as-is", "halved"] = "as-is"
    query_rounding: Literal["none", "truncate-and-clamp"] = "none"
    empty_pair: Literal["skip", "nan"] = "skip"
    sampling: Sampling | None = None

    @model_validator(mode="after")
    def _values_fit_together(self) -> Protocol:
        if len(set(self.alphas)) != len(self.alphas):
            raise ValueError("an alpha is listed twice")
        if self.query_rounding != "none" and self.frame.kind not in ("pad", "squash"):
            raise ValueError("query_rounding needs a square frame (pad or squash) with a side")
        return self

    @property
    def headline(self) -> str:
        """The metric of ``scores.parquet`` that its authors print: ``per_image`` or ``per_point``."""
        return self.averaging.replace("-", "_")

    @property
    def box_in_query_image(self) -> bool:
        """Whether the size is that of the image that points are asked of, not of the one answered in."""
        return (self.box == "source") == (self.direction == "source-to-target")

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of everything that decides a number; name, title and source do not."""
        return digest(self.model_dump(mode="json", exclude=set(_NAMES_ONLY)))

    @cached_property
    def queries_fingerprint(self) -> str:
        """SHA-256 of what decides the questions asked: predictions may be scored again wherever this is equal."""
        asked: dict[str, Any] = {
            "direction": self.direction,
            "occluded": self.occluded,
            "query_rounding": self.query_rounding,
            "sampling": self.sampling.model_dump() if self.sampling else None,
        }
        if self.occluded != "as-is" or self.query_rounding != "none":
            asked["frame"] = self.frame.model_dump()
        return digest(asked)


def protocol_names() -> list[str]:
    """Return the names of the presets: ``default`` first, the others sorted."""
    names = sorted(path.stem for path in _PRESETS.glob("*.toml"))
    return sorted(names, key=lambda name: name != "default")


def find_protocol(name_or_path: str | Path) -> Protocol:
    """Return a protocol, by the name of a preset or the path of a ``.toml`` file.

    Raises:
        UsageError: no preset has this name.
        InputError: the file is missing or malformed; the message names the key and the nearest valid one.
    """
    if str(name_or_path).endswith(".toml"):
        return load_model(Path(name_or_path), Protocol)
    path = _PRESETS / f"{name_or_path}.toml"
    if str(name_or_path) not in protocol_names():
        raise UsageError(f"unknown protocol {str(name_or_path)!r}{nearest_names(str(name_or_path), protocol_names())}")
    return load_model(path, Protocol)
