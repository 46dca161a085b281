"""How a post-processor is trained, as the table ``[training]`` of a recipe says it. Loads no torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from geobench.typed_toml import StrictModel

Positive = Annotated[int, Field(ge=1)]


class TrainingSettings(StrictModel):
    """The table ``[training]`` of a recipe. The defaults are what GeoAware-SC trains SPair-71k with.

    Sources: pck_train.py:436-520 and configs/train_spair.yaml of GeoAware-SC at 99fd6b6; Zhang et al., section 5.

    Attributes:
        split: the pairs to train on.
        categories: the labels of the pairs to train on; all where it is empty.
        pairs: train on only so many of them, spread evenly; 0 for all.
        epochs: how often every pair is seen.
        batch: pairs per step.
        learning_rate: of AdamW; with ``one-cycle`` the highest.
        weight_decay: of AdamW.
        schedule: ``one-cycle`` over all steps, counted from the pairs there are, or ``constant``.
        warm_up: the share of the steps in which one-cycle rises.
        dropout: share of the features' numbers dropped while training.
        channels: of a descriptor.
        validation: the pairs to validate on; the first split named ``val`` or ``val/...`` where it is empty.
        validation_pairs: how many of them, spread evenly; 0 for none.
        validate_every: steps between validations; 0 for none but those at the end of each epoch.
        save_every: steps between states from which training can go on.
        features: how the features of an image are kept in memory.
    """

    split: str = "train"
    categories: tuple[str, ...] = ()
    pairs: Annotated[int, Field(ge=0)] = 0
    epochs: Positive = 2
    batch: Positive = 1
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.25e-3
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1e-3
    schedule: Literal["one-cycle", "constant"] = "one-cycle"
    warm_up: Annotated[float, Field(gt=0, lt=1)] = 0.3
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    channels: Annotated[int, Field(ge=128, multiple_of=128)] = 768
    validation: str = ""
    validation_pairs: Annotated[int, Field(ge=0)] = 200
    validate_every: Annotated[int, Field(ge=0)] = 0
    save_every: Positive = 500
    features: Literal["float32", "float16"] = "float32"
