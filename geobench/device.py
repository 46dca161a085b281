"""Whether a torch device can be used here; asked before any work, for a device that cannot fails on every pair."""

from __future__ import annotations

from geobench.errors import UsageError


def check_device(device: str) -> None:
    """Refuse a device that torch does not know, or that is not here.

    Raises:
        UsageError: the message says which devices are here.
    """
    if device == "cpu":  # always here, and torch is slow to import
        return
    import torch

    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, ValueError, NotImplementedError, ImportError) as error:
        raise UsageError(f"--device {device}: torch cannot use it here; usable: {', '.join(_usable())}") from error
    if torch.device(device).type == "meta":
        raise UsageError(f"--device {device}: it computes nothing; usable: {', '.join(_usable())}")


def _usable() -> list[str]:
    import torch

    accelerators = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        accelerators.append("mps")
    return ["cpu", *accelerators]
