from __future__ import annotations

from pathlib import Path

import pytest

from geobench.builders.absent_images import refuse_absent, tell_absent
from geobench.builders.notices import Notices
from geobench.builders.options import BuildOptions
from geobench.errors import GeobenchWarning, InputError

FIRST, COUNT = Path("/raw/images/a.png"), "1 of 3 images are absent"
REQUIRED = BuildOptions(require_images=True)
REFUSED = "/raw/images/a.png: no such image; 1 of 3 images are absent; fetch them, or leave --require-images out"


def test_absent_images_are_refused_only_where_images_are_required() -> None:
    refuse_absent(FIRST, COUNT, BuildOptions())
    with pytest.raises(InputError) as caught:
        refuse_absent(FIRST, COUNT, REQUIRED)
    assert str(caught.value) == REFUSED


def test_required_images_are_refused_before_anything_is_said() -> None:
    notices = Notices(Path("/raw"))
    with pytest.raises(InputError) as caught:
        tell_absent(FIRST, COUNT, REQUIRED, notices, "they are needed")
    assert str(caught.value) == REFUSED
    assert notices.sentences == []


@pytest.mark.parametrize("then", [None, "their size stays unknown (0)"])
def test_what_follows_is_told_and_kept_with_the_file_relative_to_the_source(then: str | None) -> None:
    notices = Notices(Path("/raw"))
    with pytest.warns(GeobenchWarning) as warned:
        tell_absent(FIRST, COUNT, BuildOptions(), notices, *([] if then is None else [then]))
    sentence = (
        f"images/a.png: no such image; 1 of 3 images are absent; {then or 'methods that look at images need them'}"
    )
    assert notices.sentences == [sentence]
    assert [str(one.message) for one in warned] == [f"/raw/{sentence}"]
