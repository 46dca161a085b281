"""What network-based extractors share: placing a network, and batches that fit the memory."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor, nn

from geobench.benchmark import Benchmark
from geobench.cli import run as run_verb
from geobench.device import check_device
from geobench.errors import GeobenchError, GeobenchWarning, UsageError
from geobench.features.network import Batches, NetworkSettings
from tests.features.checkpoints import dino


def small_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3)).train()


def images(count: int) -> Tensor:
    return torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def fits(most: int) -> tuple[Callable[..., Tensor], list[int]]:
    """Return a function that has memory for so many rows, and the list of how many it was given."""
    seen: list[int] = []

    def run(rows: Tensor, *_: Tensor) -> Tensor:
        seen.append(len(rows))
        if len(rows) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return rows * 2

    return run, seen


def test_batch_of_zero_is_one_on_the_cpu_and_more_elsewhere() -> None:
    assert (NetworkSettings().batch_on("cpu"), NetworkSettings().batch_on("cuda:1")) == (1, 8)
    assert (NetworkSettings(batch=3).batch_on("cpu"), NetworkSettings(batch=3).batch_on("cuda")) == (3, 3)


@pytest.mark.parametrize("values", [{"batch": -1}, {"batch": 5000}, {"dtype": "float64"}, {"dtpye": "float32"}])
def test_settings_that_make_no_sense_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        NetworkSettings(**values)  # type: ignore[arg-type]


def test_a_placed_network_is_frozen_and_evaluates() -> None:
    network = NetworkSettings().place(small_net(), "cpu")
    assert not any(part.training for part in network.modules())
    assert not any(weight.requires_grad for weight in network.parameters())
    assert not network(images(2)).requires_grad


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 0.0), ("bfloat16", 3e-2), ("float16", 4e-3)])
def test_precision(dtype: str, tolerance: float) -> None:
    settings = NetworkSettings(dtype=dtype)  # type: ignore[arg-type]
    exact = small_net().eval()(images(2))
    found = settings.place(small_net(), "cpu")(images(2).to(settings.torch_dtype()))
    assert found.dtype == settings.torch_dtype() == getattr(torch, dtype)
    assert (found.float() - exact).abs().max() <= tolerance
    assert tolerance == 0 or (found.float() - exact).abs().max() > tolerance / 100


def test_channels_last_changes_the_layout_and_not_the_result() -> None:
    plain, moved = (NetworkSettings(channels_last=last).place(small_net(), "cpu") for last in (False, True))
    kept = [
        weight.is_contiguous(memory_format=torch.channels_last) for weight in moved.parameters() if weight.dim() == 4
    ]
    assert kept == [True, True]
    found = moved(images(2))
    assert found.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found, plain(images(2)), rtol=1e-5, atol=1e-6)


def test_compiled_gives_the_same() -> None:
    plain, compiled = (NetworkSettings(compile=on).place(small_net(), "cpu") for on in (False, True))
    torch._dynamo.reset()
    with torch.no_grad():
        torch.testing.assert_close(compiled(images(2)), plain(images(2)), rtol=1e-5, atol=1e-6)
    assert compiled._compiled_call_impl is not None  # type: ignore[union-attr]


@given(rows=st.integers(1, 20), size=st.integers(1, 24), most=st.integers(1, 24))
def test_batches_give_every_row_once_in_order_within_the_memory(rows: int, size: int, most: int) -> None:
    run, seen = fits(most)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GeobenchWarning)
        batches = Batches(size)
        (found,) = batches(run, torch.arange(rows).float(), torch.zeros(rows))
    assert found.tolist() == [2.0 * row for row in range(rows)]
    assert sum(count for count in seen if count <= most) == rows
    assert len([count for count in seen if count > most]) <= 5  # halved, not counted down
    assert batches.size <= size


def test_halving_says_so_and_is_remembered() -> None:
    run, seen = fits(3)
    batches = Batches(8, "crop")
    with pytest.warns(GeobenchWarning) as caught:
        batches(run, images(8))
    assert [str(one.message) for one in caught] == [
        "out of memory: going on with 4 crops at a time",
        "out of memory: going on with 2 crops at a time",
    ]
    assert seen == [8, 4, 2, 2, 2, 2]
    batches(run, images(8))
    assert seen[6:] == [2, 2, 2, 2]


def test_fewer_rows_than_the_batch_are_halved_from_what_was_tried() -> None:
    run, seen = fits(1)
    with pytest.warns(GeobenchWarning, match="going on with 1 image at a time"):
        Batches(64)(run, images(2))
    assert seen == [2, 1, 1]


def test_a_single_row_that_does_not_fit_is_one_sentence() -> None:
    run, _ = fits(0)
    with pytest.raises(
        GeobenchError, match="one image does not fit into the memory; choose bfloat16 or a smaller side"
    ):
        Batches(1)(run, images(1))


def test_lack_of_memory_ends_a_run_with_one_sentence(
    tiny: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not every pair in turn, each counted as wrong."""
    (tmp_path / "greedy.py").write_text(
        "import torch\n"
        "from geobench.features.network import Batches\n"
        "class Greedy:\n"
        "    name = 'greedy'\n"
        "    def describe(self, picture):\n"
        "        return Batches(1)(lambda rows: torch.empty(1 << 60, dtype=torch.uint8), torch.zeros(1))\n"
        "    def match(self, source, target, points):\n"
        "        return points\n"
    )
    command = ["eval", "--method", f"{tmp_path / 'greedy.py'}:Greedy", "--benchmark", str(tiny.folder)]
    assert run_verb([*command, "--runs", str(tmp_path / "runs")]) == 1
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("geobench: one image does not fit into the memory")
    assert err.count("\n") == 1


def test_the_processors_allocator_counts_as_out_of_memory() -> None:
    def run(rows: Tensor) -> Tensor:
        return rows if len(rows) < 3 else torch.empty(1 << 60, dtype=torch.uint8)

    with pytest.warns(GeobenchWarning, match="going on with 2 images"):
        (found,) = Batches(4)(run, images(4))
    assert torch.equal(found, images(4))


def test_another_error_is_not_taken_for_lack_of_memory() -> None:
    with pytest.raises(RuntimeError, match="must match"):
        Batches(4)(lambda rows: rows + torch.ones(7), images(4))


def test_several_outputs_are_concatenated_each() -> None:
    first, second = Batches(2)(lambda a, b: (a + b, b), torch.arange(5.0), torch.ones(5))
    assert first.tolist() == [1, 2, 3, 4, 5]
    assert second.tolist() == [1] * 5


def test_batch_size_changes_a_network_by_rounding_only() -> None:
    network = NetworkSettings().place(dino(), "cpu")
    pixels = torch.rand(6, 3, 56, 56, generator=torch.Generator().manual_seed(2))
    alone, *others = (Batches(size)(lambda rows: network(rows).last_hidden_state, pixels)[0] for size in (1, 2, 4, 6))
    for found in others:
        assert (found - alone).norm() / alone.norm() < 1e-5


@pytest.mark.parametrize("device", ["cuda:99", "nonsense", "meta", ""])
def test_a_device_that_is_not_here_is_wrong_usage(device: str) -> None:
    with pytest.raises(UsageError, match=f"--device {device}: .*; usable: cpu"):
        check_device(device)
    check_device("cpu")
    check_device("cpu:0")
