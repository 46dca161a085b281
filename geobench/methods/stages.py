"""Which tables of a recipe go together: stages need features and a matcher, and some exclude others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from geobench.errors import InputError

if TYPE_CHECKING:
    from geobench.methods.recipe import Recipe

_FUSION = ("weight", "normalise")  # keys of a group that say how groups are fused


def check_stages(recipe: Recipe, path: Path, composed: bool) -> None:
    """Refuse tables that do not go together.

    Args:
        recipe: the recipe.
        path: its file, for the message.
        composed: whether it has features and a matcher, instead of a class.

    Raises:
        InputError: two tables exclude each other, or one belongs to features and there are none.
    """
    verbs = {"alignment": "aligns by itself", "reduction": "reduces by itself", "post_processor": "has its own"}
    for table, verb in verbs.items():
        if getattr(recipe, table) is not None and not composed:
            raise InputError(f"{path}: [{table}] belongs to [[features]] with [matcher]; a class {verb}")
    if recipe.reduction is not None and recipe.alignment is not None:
        raise InputError(
            f"{path}: [alignment] compares images described one by one, and [reduction] reduces them in pairs; "
            "leave one of the two out"
        )
    if recipe.post_processor is not None:
        _check_post_processor(recipe, path)


def _check_post_processor(recipe: Recipe, path: Path) -> None:
    if recipe.reduction is not None:
        raise InputError(
            f"{path}: [post_processor] takes features as they are, and [reduction] reduces them; "
            "leave one of the two out"
        )
    for number, table in enumerate(recipe.features, 1):
        ignored = next((key for key in _FUSION if key in table), None)
        if ignored:
            raise InputError(
                f"{path}: [[features]] {number}: {ignored} says nothing where [post_processor] takes the features as "
                "they are; leave it out"
            )
