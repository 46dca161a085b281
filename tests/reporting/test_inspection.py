from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from geobench.benchmark import Benchmark
from geobench.reporting.inspection import inspect_benchmark, inspection_text


def with_categories(tiny: Benchmark, number: int) -> Benchmark:
    """Return the benchmark with its first instance repeated in so many categories, and without pairs."""
    table = tiny.instances
    columns = {name: np.repeat(getattr(table, name)[:1], number, axis=0) for name in vars(table)}
    columns["id"] = np.asarray([f"{row:03d}" for row in range(number)])
    columns["category"] = np.asarray([f"Black footed Albatross {row:03d}" for row in range(number)])
    pairs = tiny.split("test").take(np.zeros(0, np.int64))
    return replace(tiny, instances=replace(table, **columns), splits={"test": pairs}, recipe={"a": {"b": 1}, "c": []})


@pytest.mark.parametrize("number", [1, 2, 60])
def test_categories_are_all_told_in_lines_of_120_columns_none_torn(tiny: Benchmark, number: int) -> None:
    lines = inspection_text(inspect_benchmark(with_categories(tiny, number))).splitlines()
    listed = lines[lines.index("instances per category") + 1 :]
    assert max(map(len, lines)) <= 120
    assert all(line.startswith("  ") and not line.startswith("   ") for line in listed)
    items = [item.strip() for line in listed for item in line.rstrip(",").split(", ")]
    assert items == [f"Black footed Albatross {row:03d} 1" for row in range(number)]


def test_of_very_many_categories_the_first_are_told_and_how_many_more(tiny: Benchmark) -> None:
    facts = inspect_benchmark(with_categories(tiny, 200))
    text = inspection_text(facts)
    assert "Albatross 011 1, and 188 more categories (--json lists them)" in " ".join(text.split())
    assert "Albatross 012" not in text
    assert len(facts["instances_per_category"]) == 200


def test_recipe_and_expectations_are_told_or_a_dash(tiny: Benchmark) -> None:
    lines = inspection_text(inspect_benchmark(with_categories(tiny, 1))).splitlines()
    assert "recipe       a.b=1" in lines
    assert "card expects -" in lines
    card = tiny.card.model_copy(update={"expected": {"instances": 1, "categories": 3, "people": 4}})
    text = inspection_text(inspect_benchmark(replace(with_categories(tiny, 1), card=card)))
    assert "card expects instances 1, categories 3 (found 1), people 4\n" in text
