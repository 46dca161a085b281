"""What network-based extractors share: precision, layout, compilation, batches that fit the memory, maps of a frame."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, TypeVar

import torch
from pydantic import Field
from torch import Tensor, nn

from geobench.errors import GeobenchError, GeobenchWarning
from geobench.features.feature_map import FeatureMap
from geobench.features.letterbox import FrameKind, Letterbox
from geobench.picture import Picture
from geobench.typed_toml import StrictModel

NetworkT = TypeVar("NetworkT", bound=nn.Module)
ON_CPU, ON_ACCELERATOR = 1, 8


class NetworkSettings(StrictModel):
    """Settings that every network-based extractor has.

    Attributes:
        dtype: precision of weights and activations; features are float32 whatever it is. ``float32`` is what the
            authors ran; docs/features.md says what the others do to matches.
        compile: ``torch.compile`` the network.
        channels_last: keep activations of convolutions in channels-last order.
        batch: images described together; 0 stands for 1 on the CPU, where more is no faster, and 8 elsewhere.
    """

    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    compile: bool = False
    channels_last: bool = False
    batch: Annotated[int, Field(ge=0, le=1024)] = 0

    def batch_on(self, device: str) -> int:
        """Return how many images are described together on a device."""
        return self.batch or (ON_CPU if device.startswith("cpu") else ON_ACCELERATOR)

    def torch_dtype(self) -> torch.dtype:
        """Return ``dtype`` as torch has it."""
        found: torch.dtype = getattr(torch, self.dtype)
        return found

    def place(self, network: NetworkT, device: str) -> NetworkT:
        """Return the network on the device in the precision and layout asked for, frozen, compiled if asked for."""
        network = network.eval().requires_grad_(False).to(device, self.torch_dtype())
        if self.channels_last:
            for weight in network.parameters():
                if weight.dim() == 4:
                    weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        if self.compile:
            network.compile()
        return network


class DoesNotFitError(GeobenchError, MemoryError):
    """A single row does not fit into the memory. As a MemoryError it ends a run instead of failing pair after pair."""


class Batches:
    """Runs a function on rows of tensors, so many at a time; out of memory halves the number, and says so.

    Args:
        size: rows at a time.
        what: what a row is, for the message.
    """

    def __init__(self, size: int, what: str = "image") -> None:
        self.size = size
        self.what = what

    def __call__(self, run: Callable[..., Any], *rows: Tensor) -> list[Tensor]:
        """Return the outputs of ``run`` for all rows, each concatenated along the first axis.

        Args:
            run: takes tensors of some rows, returns a tensor or a sequence of tensors, row by row.
            rows: tensors of equal length.

        Raises:
            DoesNotFitError: a single row does not fit.
        """
        outputs: list[Sequence[Tensor]] = []
        start, total = 0, len(rows[0])
        while start < total:
            outputs_now = self._attempt(run, [part[start : start + self.size] for part in rows])
            if outputs_now is not None:
                outputs.append(outputs_now)
                start += len(outputs_now[0])
        return [torch.cat(list(column)) if len(column) > 1 else column[0] for column in zip(*outputs, strict=True)]

    def _attempt(self, run: Callable[..., Any], rows: list[Tensor]) -> Sequence[Tensor] | None:
        """Return the outputs for ``rows``, or None after halving the batch because they did not fit."""
        try:
            made = run(*rows)
        except RuntimeError as error:
            if not _out_of_memory(error):
                raise
            if len(rows[0]) == 1:
                raise DoesNotFitError(
                    f"one {self.what} does not fit into the memory; choose bfloat16 or a smaller side in the recipe, "
                    "or another device"
                ) from error
        else:
            return [made] if isinstance(made, Tensor) else list(made)
        self._halve(len(rows[0]))  # out of the handler, where the error would keep what was computed in memory
        return None

    def _halve(self, tried: int) -> None:
        self.size = -(-tried // 2)
        count = f"{self.size} {self.what}{'s' if self.size > 1 else ''}"
        warnings.warn(f"out of memory: going on with {count} at a time", GeobenchWarning, stacklevel=4)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def maps_in_frame(
    pictures: Sequence[Picture],
    frame: tuple[FrameKind, int],
    pixels: Callable[[Picture, Letterbox], Tensor],
    batches: Batches,
    run: Callable[..., Any],
) -> list[FeatureMap]:
    """Return the feature map of each picture, described in batches in model frames of one size.

    Args:
        pictures: at least one.
        frame: kind and side of the model frame.
        pixels: gives a picture in its model frame, [3, h, w], as the network wants it.
        batches: says how many images are described together.
        run: takes the pixels of some images, [n, 3, h, w], returns their features, [n, c, rows, columns].

    Raises:
        DoesNotFitError: a single image does not fit.
    """
    kind, side = frame
    boxes = [Letterbox.of(kind, picture.size, side) for picture in pictures]
    (found,) = batches(run, torch.stack([pixels(one, box) for one, box in zip(pictures, boxes, strict=True)]))
    return [FeatureMap(one, box) for one, box in zip(found, boxes, strict=True)]


def _out_of_memory(error: RuntimeError) -> bool:
    """Return whether an accelerator, a library of one, or the processor's allocator had no memory left."""
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in _NO_MEMORY)


_NO_MEMORY = (
    *("DefaultCPUAllocator", "can't allocate memory"),  # c10/core/impl/alloc_cpu.cpp
    *("out of memory", "CUDNN_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_ALLOC_FAILED"),
)
