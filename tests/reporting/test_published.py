"""The numbers printed in the paper: every cell is there, and the cells agree among themselves."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from geobench.catalog import published_folder
from geobench.errors import InputError
from geobench.reporting.method_notes import load_method_notes, published_names
from geobench.reporting.published import COLUMNS, load_published
from geobench.reporting.training_data import trained_on_split, unstated_note

SPAIR_CATEGORIES = """aeroplane bicycle bird boat bottle bus car cat chair cow dog horse
    motorbike person pottedplant sheep train tvmonitor"""


@pytest.fixture(scope="module")
def published() -> pd.DataFrame:
    return load_published()


def table(published: pd.DataFrame, name: str) -> pd.DataFrame:
    return published[published["source"].str.contains(name, regex=False)]


# Counted by hand from the printed tables.
# Table 2: 14 methods x (18 categories + All) = 266, and NeuCongeal's 3 printed cells.
# Table 3: 8 methods x 15 columns = 120, and 3 methods without AP-10K x 6 = 18.
# Table 4: 8 methods x 6 columns = 48, and 3 methods without AP-10K x 3 = 9.
# Table 5: 8 variants x 6 columns. Pose: 3 features x 4 columns.
@pytest.mark.parametrize(
    ("name", "rows", "methods"),
    [
        ("Table 2", 269, 15),
        ("Table 3", 138, 11),
        ("Table 4", 57, 11),
        ("Table 5", 48, 8),
        ("pose awareness", 12, 3),
    ],
)
def test_every_printed_cell_is_there(published: pd.DataFrame, name: str, rows: int, methods: int) -> None:
    part = table(published, name)
    assert len(part) == rows
    assert part["method"].nunique() == methods


def test_nothing_else_is_there(published: pd.DataFrame) -> None:
    assert len(published) == 269 + 138 + 57 + 48 + 12 + 102
    assert tuple(published.columns) == COLUMNS


@pytest.mark.parametrize(
    ("method", "benchmark", "split", "scope", "subset", "metric", "alpha", "value"),
    [
        # Table 2
        ("ASIC", "spair71k", "test", "all", "all", "per_point", 0.10, 36.9),
        ("DIFT", "spair71k", "test", "category:pottedplant", "all", "per_point", 0.10, 57.8),
        ("NeuCongeal", "spair71k", "test", "category:dog", "all", "per_point", 0.10, 35.2),
        ("GeoAware (zero-shot)", "spair71k", "test", "all", "all", "per_point", 0.10, 69.6),
        ("SCOT", "spair71k", "test", "category:tvmonitor", "all", "per_image", 0.10, 40.8),
        ("GeoAware", "spair71k", "test", "category:bus", "all", "per_image", 0.10, 91.6),
        ("GeoAware (adaptive pose)", "spair71k", "test", "category:sheep", "all", "per_image", 0.10, 78.9),
        # Table 3
        ("GeoAware (zero-shot)", "spair71k", "test", "all", "all", "per_image", 0.10, 65.4),
        ("DINOv2+NN", "ap10k", "test/cross-family", "all", "all", "per_image", 0.01, 4.4),
        ("SD+DINO", "ap10k", "test/cross-species", "all", "all", "per_image", 0.05, 39.7),
        ("SCorrSAN", "pf-pascal", "test", "all", "all", "per_image", 0.15, 96.6),
        ("GeoAware (AP-10K pre-trained)", "pf-pascal", "test", "all", "all", "per_image", 0.05, 85.9),
        # Table 4
        ("DHF", "spair71k", "test", "all", "geometry_aware", "per_image", 0.10, 56.7),
        ("SD+DINO (S)", "spair71k", "test", "all", "geometry_aware", "per_image", 0.05, 50.3),
        ("GeoAware (adaptive pose)", "ap10k", "test/intra-species", "all", "geometry_aware", "per_point", 0.10, 83.2),
        # Table 5
        ("+ Pose-variant Augmentation", "spair71k", "test", "all", "geometry_aware", "per_image", 0.05, 60.5),
        ("+ Window Soft Argmax (5)", "spair71k", "test", "all", "all", "per_image", 0.01, 22.3),
        # code bases
        ("ASIC (released code)", "spair71k", "test", "all", "all", "per_point", 0.10, 36.5),
        ("ASIC (released code)", "spair71k", "test", "category:bird", "all", "cycle_3", 0.10, 78.0),
        ("SCOT (FCN-101)", "pf-willow", "test", "all", "all", "per_image", 0.15, 89.1),
        ("SCorrSAN", "pf-willow", "test", "all", "all", "per_image", 0.05, 54.1),
        ("CATs (frozen backbone)", "pf-pascal", "test", "all", "all", "per_image", 0.10, 89.1),
        ("Unified Baseline", "ap10k", "test/intra-species", "all", "all", "per_image", 0.10, 87.4),
        ("MARCO (AP-10K pre-trained)", "spair-u", "test", "all", "all", "per_image", 0.10, 69.7),
        ("DINOv3-B, debiased", "spair71k", "test", "all", "all", "per_image", 0.20, 68.7),
        # pose
        ("DINOv2", "spair71k", "test", "pose:L/R", "all", "accuracy", None, 63.8),
        ("SD", "spair71k", "test", "pose:L/R or F/B", "all", "accuracy", None, 96.0),
    ],
)
def test_printed_cells(
    published: pd.DataFrame,
    method: str,
    benchmark: str,
    split: str,
    scope: str,
    subset: str,
    metric: str,
    alpha: float | None,
    value: float,
) -> None:
    named = (published[["method", "benchmark", "split", "scope", "subset", "metric"]] == [
        method, benchmark, split, scope, subset, metric,
    ]).all(axis=1)  # fmt: skip
    at_alpha = published["alpha"].isna() if alpha is None else published["alpha"] == alpha
    assert set(published.loc[named & at_alpha, "value"]) == {value}


def test_marks_of_the_methods(published: pd.DataFrame) -> None:
    published = published[published["source"].str.startswith("Zhang et al.")]
    fine_tuned = published.loc[published["fine_tuned_backbone"], "method"]
    mirrored = published.loc[published["mirror_index"], "method"]
    assert set(fine_tuned) == {"PMNC", "SCorrSAN", "CATs++"}
    assert set(mirrored) == {"NeuCongeal", "GeoAware (zero-shot)", "GeoAware (adaptive pose)"}
    with_index = published["setting"] == "unsupervised-mirror-index"
    assert set(published.loc[with_index, "method"]) == {"NeuCongeal", "GeoAware (zero-shot)"}


def test_averaging_of_table_2_follows_the_setting(published: pd.DataFrame) -> None:
    part = table(published, "Table 2")
    supervised = part["setting"] == "supervised"
    assert set(part.loc[supervised, "metric"]) == {"per_image"}
    assert set(part.loc[~supervised, "metric"]) == {"per_point"}
    assert set(part["scope"]) == {"all", *(f"category:{name}" for name in SPAIR_CATEGORIES.split())}


def test_only_the_pose_table_has_no_threshold(published: pd.DataFrame) -> None:
    assert (published["alpha"].isna() == published["scope"].str.startswith("pose:")).all()


def test_a_cell_printed_twice_is_printed_the_same(published: pd.DataFrame) -> None:
    key = ["method", "benchmark", "split", "scope", "subset", "metric", "alpha"]
    cells = published.groupby(key, dropna=False)["value"]
    assert (cells.nunique() == 1).all()
    # The nine supervised methods' SPair-71k averages of Table 2, less the two Table 3 leaves out, and SCorrSAN's four
    # figures that its README prints too, of which one is already counted.
    assert (cells.size() > 1).sum() == 7 + 4 - 1


def test_ablation_ends_match_the_methods_they_describe(published: pd.DataFrame) -> None:
    def values(method: str) -> set[tuple[str, float, float]]:
        of = (published["method"] == method) & (published["benchmark"] == "spair71k") & (published["scope"] == "all")
        return set(published.loc[of, ["subset", "alpha", "value"]].itertuples(index=False, name=None))

    assert values("Baseline") == values("SD+DINO (S)")
    assert values("+ Window Soft Argmax (15)") == values("GeoAware")


def test_pck_grows_with_the_threshold(published: pd.DataFrame) -> None:
    pck = published[published["metric"] != "accuracy"].sort_values("alpha", kind="stable")
    key = ["method", "benchmark", "split", "scope", "subset", "metric"]
    assert pck.groupby(key)["value"].is_monotonic_increasing.all()


# Read from the README at the commit named in `source`: 19 rows of three columns (ASIC); 4 + 3 + 3 + 3 + 3 (SCOT);
# 1 + 3 + 3 (SCorrSAN); 2 x (1 + 3) (CATs); 2 (Visual-AI); 2 x 2 (MARCO); 2 x 4 (INSID3).
@pytest.mark.parametrize(
    ("repository", "rows"),
    [
        ("kampta/asic", 57),
        ("csyanbin/SCOT", 16),
        ("ShuaiyiHuang/SCorrSAN", 7),
        ("SunghwanHong/Cost-Aggregation-transformers", 8),
        ("Visual-AI/Semantic-Correspondence", 2),
        ("visinf/MARCO", 4),
        ("visinf/INSID3", 8),
    ],
)
def test_every_figure_of_the_code_bases_is_there(published: pd.DataFrame, repository: str, rows: int) -> None:
    assert len(table(published, f"github.com/{repository} at ")) == rows


def test_the_mean_of_asic_is_that_of_its_categories(published: pd.DataFrame) -> None:
    for metric in ("per_point", "cycle_2", "cycle_3"):
        rows = published[(published["method"] == "ASIC (released code)") & (published["metric"] == metric)]
        mean = rows.loc[rows["scope"] != "all", "value"].mean()
        assert rows.loc[rows["scope"] == "all", "value"].item() == pytest.approx(mean, abs=0.06)


def test_supervised_rows_say_what_they_were_trained_on(published: pd.DataFrame) -> None:
    untrained = published["setting"].str.startswith("unsupervised")
    assert (published.loc[untrained, "trained_on"] == "").all()
    assert (published.loc[~untrained, "trained_on"] != "").all()
    chosen = published[published["method"].str.startswith("SCOT")]  # its layers, by PCK on validation pairs
    assert set(chosen["trained_on"]) == {"spair71k:val", "pf-pascal:val"}
    on_spair = chosen["benchmark"] == "spair71k"
    assert (on_spair == (chosen["trained_on"] == "spair71k:val")).all()
    pretrained = published[published["method"] == "GeoAware (AP-10K pre-trained)"]
    assert set(pretrained["trained_on"]) == {"ap10k:train spair71k:train", "ap10k:train pf-pascal:train"}


def test_the_image_is_the_threshold_of_pf_pascal_only(published: pd.DataFrame) -> None:
    assert ((published["threshold"] == "image") == (published["benchmark"] == "pf-pascal")).all()


def test_every_method_has_a_note(published: pd.DataFrame) -> None:
    methods = published[~published["source"].str.contains("Table 5|pose awareness")]["method"]
    assert set(load_method_notes()) == set(methods)


def test_a_recipe_makes_one_published_method_only() -> None:
    notes = load_method_notes()
    made = [(recipe, benchmark) for note in notes.values() for benchmark, recipe in note.recipes.items()]
    assert len(set(made)) == len(made) == len(published_names())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[X]\nlicence = "MIT"\n', "X: required key"),
        ("X = 3\n", "X: is no table"),
        (
            '[X]\ncode = "https://x"\nlicence = "MIT"\nbackbone = "x"\ntraining = "x"\nrecipes = {"*" = "dinov2-n"}\n',
            "dinov2-nn",
        ),
        ('[X]\ncode = "x"\nlicence = "MIT"\nbackbone = "x"\ntraining = "x"\n', "X: code: "),
    ],
    ids=["key missing", "no table", "unknown recipe", "no address"],
)
def test_malformed_notes_are_refused(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "methods.toml").write_text(text)
    with pytest.raises(InputError, match=expected):
        load_method_notes(tmp_path)


@pytest.mark.parametrize(
    ("trained_on", "benchmark", "seen"),
    [
        (("spair71k:train",), "spair71k", True),
        (("ap10k:train", "spair71k:train (0123456789ab)"), "spair71k", True),
        (("spair71k:train",), "spair-u", False),
        (("spair71k:val",), "spair71k", False),
        (("quadrupeds-training:train (0123456789ab)",), "quadrupeds", False),
        ((), "spair71k", False),
    ],
)
def test_trained_on_the_training_split(trained_on: tuple[str, ...], benchmark: str, seen: bool) -> None:
    assert trained_on_split(trained_on, benchmark) is seen


def test_the_default_folder_is_the_catalogue_one(published: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(published, load_published(published_folder()))


def test_a_source_that_does_not_say_what_a_method_learned_from_is_noted(published: pd.DataFrame) -> None:
    shown = published[(published["benchmark"] == "ap10k") & published["method"].isin(["DHF", "GeoAware"])]
    assert unstated_note(shown) == ["(printed) not stated for ap10k: what DHF learned from"]
    assert unstated_note(shown[shown["method"] == "GeoAware"]) == []
