from __future__ import annotations

from pathlib import Path

import pytest

from geobench.errors import InputError, UsageError
from geobench.evaluation.protocol import Frame, Protocol, Sampling, find_protocol, protocol_names

PRESETS = [
    "default",
    "actr",
    "cats",
    "cats-plus-plus",
    "dhf",
    "dift",
    "geco",
    "geoaware-sc",
    "hpf",
    "pf-willow-padded",
    "sd4match",
]


def test_the_presets() -> None:
    assert protocol_names() == PRESETS
    for name in PRESETS:
        protocol = find_protocol(name)
        assert protocol.name == name
        assert protocol.source
    assert len({find_protocol(name).fingerprint for name in PRESETS}) == len(PRESETS)


def test_the_default_is_the_definition() -> None:
    default = find_protocol("default")
    assert default.alphas == (0.01, 0.05, 0.10, 0.15)
    assert (default.comparison, default.size, default.frame, default.averaging) == (
        "<=",
        "benchmark",
        Frame(),
        "per-image",
    )


def test_names_and_prose_do_not_change_the_fingerprint() -> None:
    default = find_protocol("default")
    renamed = default.model_copy(update={"name": "mine", "title": "t", "source": "s"})
    assert Protocol.model_validate(renamed.model_dump()).fingerprint == default.fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"alphas": [0.1]},
        {"comparison": "<"},
        {"arithmetic": "ratio"},
        {"size": "image"},
        {"box": "source"},
        {"frame": {"kind": "pad", "side": 840}},
        {"direction": "target-to-source"},
        {"averaging": "per-point"},
        {"geometry_rule": "renumbered-per-point"},
        {"occluded": "halved"},
        {"empty_pair": "nan"},
        {"sampling": {"per_category": 20}},
    ],
)
def test_everything_that_counts_changes_the_fingerprint(change: dict) -> None:
    default = find_protocol("default")
    changed = Protocol.model_validate(default.model_dump() | change)
    assert changed.fingerprint != default.fingerprint
    asks_otherwise = not {"direction", "occluded", "sampling"}.isdisjoint(change)
    assert (changed.queries_fingerprint != default.queries_fingerprint) == asks_otherwise


def test_protocols_that_ask_alike_can_share_predictions() -> None:
    asked = {name: find_protocol(name).queries_fingerprint for name in PRESETS}
    assert asked["default"] == asked["dift"] == asked["dhf"] == asked["geco"] == asked["hpf"] == asked["sd4match"]
    # geoaware-sc halves occluded points, actr truncates, cats and cats-plus-plus ask backwards in their own frames
    assert len({asked[name] for name in ("default", "actr", "cats", "cats-plus-plus", "geoaware-sc")}) == 5


def test_a_frame_matters_to_the_questions_only_where_they_depend_on_it() -> None:
    halved = find_protocol("geoaware-sc")
    smaller = halved.model_copy(update={"frame": Frame(kind="pad", side=420)})
    assert Protocol.model_validate(smaller.model_dump()).queries_fingerprint != halved.queries_fingerprint


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean geoaware-sc"):
        find_protocol("geoaware")


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text('name = "mine"\ntitle = "t"\nsource = "s"\n' + text)
    return path


def test_a_protocol_of_ones_own(tmp_path: Path) -> None:
    protocol = find_protocol(write(tmp_path, "alphas = [0.2]\nsampling = { per_category = 5 }\n"))
    assert protocol.sampling == Sampling(per_category=5, seed=42)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("alphas = [0.1]\ncomparson = '<'", "comparson.*did you mean comparison"),
        ("alphas = []", "alphas"),
        ("alphas = [0.1, 0.1]", "alpha is listed twice"),
        ("alphas = [-0.1]", "alphas.0"),
        ("alphas = [0.1]\nframe = { kind = 'pad' }", "frame.*give a side"),
        ("alphas = [0.1]\nframe = { kind = 'original', side = 3 }", "frame.*none for original"),
        ("alphas = [0.1]\nquery_rounding = 'truncate-and-clamp'", "needs a square frame"),
        ("alphas = [0.1]\ncomparison = '>='", "comparison"),
    ],
)
def test_a_malformed_protocol_is_explained(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=f"{path.name}.*{message}"):
        find_protocol(path)


def test_a_missing_file_is_explained(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        find_protocol(tmp_path / "absent.toml")
