"""A dataset card: everything a human must decide about a dataset, and nothing a program can derive."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr

from geobench.skeleton import Skeleton
from geobench.typed_toml import StrictModel, load_model

ThresholdRule = Literal["bbox", "image"]
ANY_CATEGORY = "*"


class KeypointTable(StrictModel):
    """Keypoints of one category: names, mirror partners, geometry-aware subgroups (all by name)."""

    names: Annotated[tuple[str, ...], Field(min_length=1)]
    mirror: tuple[tuple[str, str], ...] = ()
    groups: dict[str, tuple[str, ...]] = {}

    def skeleton(self) -> Skeleton:
        """Return the table as a skeleton."""
        return Skeleton.from_names(self.names, self.groups, self.mirror)


class Source(StrictModel):
    """Where a raw file comes from.

    Attributes:
        what: what it is, in a few words.
        url: the file, or the page a person fetches it from.
        sha256: of the file, 64 hexadecimal digits, where its publisher or we know it.
        note: what a person must know: a form to sign, a folder to put it in.
        file: name under which ``geobench download`` keeps it; empty where only a person can fetch it.
        unpack: folder into which the archive is unpacked, ``.`` for the download's own; empty for no archive.
    """

    what: str
    url: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    note: str = ""
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*$")] | Literal[""] = ""
    unpack: Annotated[str, Field(pattern=r"^(\.|[A-Za-z0-9][\w.-]*)$")] | Literal[""] = ""


class Card(StrictModel):
    """The card of one dataset, as written in ``datasets/<name>/card.toml``.

    Attributes:
        version: raised whenever a number computed from this card could change.
        builder: module, or ``.py`` file beside the card, with ``OPTIONS`` and
            ``build(source, card, options) -> Benchmark``.
        threshold: what PCK's alpha multiplies: the longer side of the target's ``bbox`` or of its ``image``.
        keypoints: the skeleton shared by all categories; or else
        categories: one table per category.
        splits: the split recipe; validated by the builder.
        expected: published counts that a complete build should reproduce.
        rounded: counts that are published in round figures only, so that no build is held to them.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    title: str
    version: Annotated[int, Field(ge=1)]
    builder: str
    threshold: ThresholdRule
    licence: str
    citation: str
    description: str = ""
    sources: tuple[Source, ...] = ()
    keypoints: KeypointTable | None = None
    categories: dict[str, KeypointTable] = {}
    splits: dict[str, Any] = {}
    expected: dict[str, int] = {}
    rounded: dict[str, int] = {}
    _folder: Path | None = PrivateAttr(default=None)

    @property
    def folder(self) -> Path | None:
        """The folder of the card's file, None when the card comes from elsewhere, such as a built benchmark."""
        return self._folder

    def within(self, folder: Path) -> Card:
        """Return this card as one whose file lies in ``folder``."""
        card = self.model_copy()
        card._folder = folder
        return card

    def skeletons(self) -> dict[str, Skeleton]:
        """Return the skeletons by category; the key ``*`` stands for every category not listed."""
        tables = dict(self.categories)
        if self.keypoints is not None:
            tables[ANY_CATEGORY] = self.keypoints
        return {category: table.skeleton() for category, table in sorted(tables.items())}


def load_card(path: Path) -> Card:
    """Return the card stored at ``path``.

    Raises:
        InputError: the card is missing, not TOML, or has an unknown or malformed key.
    """
    return load_model(path, Card).within(path.parent)
