"""What docs/errata.md says of FreeU in the stored features and of antialiasing before CLIP, measured again."""

from pathlib import Path

import pytest

from geobench.features import stable_diffusion
from geobench.features.diffusion.freeu import FreeU
from geobench.features.feature_map import FeatureMap, unit_length
from geobench.features.levels import Levels
from tests.features.odise_goldens import Settings, golden_extractor, picture, relative
from tests.features.test_freeu import TINY

ERRATA = Path(__file__).parents[2] / "docs" / "errata.md"


def levels(extractor):
    """Of the two golden images, the second through the small network too."""
    return [extractor(picture(size)) for size in ("tiny", "sd15")]


def nearest(pair):
    source, target = (unit_length(found.joined().features).flatten(1) for found in pair)
    return (source.T @ target).argmax(dim=1)


def effect(one, other):
    """(relative L2 change of the first image's joined levels, share of nearest neighbours that change), in percent."""
    change = relative(other[0].joined().features, one[0].joined().features)
    return 100 * change, 100 * float((nearest(one) != nearest(other)).float().mean())


def without_factor(found):
    maps = []
    for level in found.maps:
        features, half = level.features.clone(), len(level.features) // 2
        features[:half] /= TINY[len(features)][0]
        maps.append(FeatureMap(features, level.letterbox))
    return Levels(maps)


@pytest.mark.slow
def test_freeus_factor_on_the_kept_levels(tmp_path, monkeypatch):
    monkeypatch.setattr(stable_diffusion, "FreeU", lambda: FreeU(TINY))
    kept = levels(golden_extractor(monkeypatch, tmp_path, "tiny", Settings()))
    change, moved = effect(kept, [without_factor(found) for found in kept])
    assert f"{change:.0f} % (relative, L2), and of the nearest" in ERRATA.read_text(encoding="utf-8")
    assert f"cells {moved:.1f} % change" in ERRATA.read_text(encoding="utf-8")


@pytest.mark.slow
def test_antialiasing_before_clip(tmp_path, monkeypatch):
    extractor = golden_extractor(monkeypatch, tmp_path, "tiny", Settings())
    plain = levels(extractor)
    extractor.network.embedding.antialias = True
    change, moved = effect(plain, levels(extractor))
    text = ERRATA.read_text(encoding="utf-8")
    assert f"the levels by {change:.1f} %" in text
    assert f"cells {moved:.1f} % change (`tests/features/test_sd_errata.py`). At the real size" in text.replace(
        "\n", " "
    )
