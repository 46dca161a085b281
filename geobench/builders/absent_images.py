"""Images that are annotated but absent: refused where the user requires all, and else told of."""

from __future__ import annotations

from pathlib import Path

from geobench.builders.notices import Notices
from geobench.builders.options import BuildOptions
from geobench.errors import InputError


def refuse_absent(first: Path, count: str, options: BuildOptions) -> None:
    """Stop if the user requires all images.

    Args:
        first: the first absent image.
        count: how many there are, in words.
        options: of which ``require_images`` counts.

    Raises:
        InputError: images are required.
    """
    if options.require_images:
        raise InputError(f"{first}: no such image; {count}; fetch them, or leave --require-images out")


def tell_absent(
    first: Path,
    count: str,
    options: BuildOptions,
    notices: Notices,
    then: str = "methods that look at images need them",
) -> None:
    """Tell of absent images, and ``then`` what follows for the benchmark; see :func:`refuse_absent`.

    Raises:
        InputError: images are required.
    """
    refuse_absent(first, count, options)
    notices.say(f"{first}: no such image; {count}; {then}")
