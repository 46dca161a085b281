"""The renumbered subgroups of GeoAware-SC, against its own index tables."""

from __future__ import annotations

import numpy as np
from geoaware_goldens import golden, skeleton

from geobench.evaluation.geometry import renumbered_groups


def test_renumbered_groups_on_every_table() -> None:
    tables = golden("index_tables")
    for case in tables["used_subset_cases"]:
        used = np.isin(np.arange(30), case["used"])
        ours = renumbered_groups(skeleton(case["category"], 30), used)
        compact = [np.searchsorted(case["used"], np.flatnonzero(group)).tolist() for group in ours]
        assert compact == [group for group in case["geo_renumbered"] if len(group) > 1], case["category"]
    assert len(tables["used_subset_cases"]) == 38


def test_the_definition_equals_the_renumbering_where_the_list_is_in_order() -> None:
    for category, differs in {"aeroplane": False, "cat": False, "bus": True, "car": True, "ap10k": True}.items():
        blocks = skeleton(category, 30)
        annotated = sorted(k for block in golden("index_tables")["geo_groups"][category] for k in np.atleast_1d(block))
        used = np.isin(np.arange(30), annotated)
        assert (not np.array_equal(renumbered_groups(blocks, used), blocks.group_matrix(30))) == differs, category
