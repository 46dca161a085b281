"""How much memory descriptions may take: what the user allowed, or a share of what is free."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path

from geobench.errors import UsageError

SHARE = 0.5
"""Of the free memory; the rest is for the network at work, for matching, and for others on the machine."""
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Return the number of bytes that ``8GB``, ``512 MB`` or ``1.5GiB`` stands for (GB: 10^9, GiB: 2^30).

    Raises:
        UsageError: it is no size, or none above zero.
    """
    found = _SIZE.fullmatch(text.strip())
    if not found or (found[3] and not found[2]):
        raise UsageError(f"--memory {text}: write a number and a unit, as in 8GB, 512MB or 1.5GiB")
    size = int(float(found[1]) * (_BINARY if found[3] else _UNITS)[found[2].lower()])
    if size < 1:
        raise UsageError(f"--memory {text}: give more than nothing, as in 8GB")
    return size


def size_text(size: int) -> str:
    """Return a number of bytes for people: ``57.1 MB``; units are powers of 1000."""
    number, unit = _in_units(size)
    return f"{number:,.1f} {unit}" if unit != "B" else f"{size:,} bytes"


def size_option(size: int) -> str:
    """Return a number of bytes as one writes it on the command line, rounded up: ``57.2MB``."""
    number, unit = _in_units(size)
    return f"{math.ceil(10 * number) / 10:.1f}{unit}" if unit != "B" else f"{size}B"


def _in_units(size: int) -> tuple[float, str]:
    power = min(4, max(0, (len(str(size)) - 1) // 3))
    return size / 1000**power, ("B", "kB", "MB", "GB", "TB")[power]


def allowed_bytes(memory: int | None, device: str, held: int) -> int:
    """Return how many bytes all descriptions together may take.

    Args:
        memory: what the user said; None for :data:`SHARE` of what is free where descriptions are.
        device: where descriptions are, as torch writes it.
        held: bytes of those that are there already.
    """
    return memory if memory is not None else int(SHARE * (free_bytes(device) + held))


def free_bytes(device: str = "cpu") -> int:
    """Return how many bytes are free on a device: those of an accelerator, or of this machine (or container).

    Linux says what programs can have (``MemAvailable``; less where a control group allows less). Elsewhere half of
    the machine's memory is taken to be free.
    """
    if device.startswith("cuda"):
        from torch import cuda

        return cuda.mem_get_info(device)[0] + cuda.memory_reserved(device) - cuda.memory_allocated(device)
    if device.startswith("mps"):
        from torch import mps

        return max(0, mps.recommended_max_memory() - mps.driver_allocated_memory())
    available = _entry(Path("/proc/meminfo"), "MemAvailable:")
    if available is None:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return int(min(1024 * available, *(_left_in_group(*files) for files in _GROUPS)))


_GROUPS = (  # control groups, version 2 and 1: limit, use, and what of it gives way: pages of files that were read
    ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def _left_in_group(folder: str, limit: str, current: str, reclaimable: str) -> float:
    """Return what the control group of this process still allows; infinite where it sets no limit."""
    try:
        allowed, used = ((Path(folder) / name).read_text().strip() for name in (limit, current))
    except OSError:
        return float("inf")
    if not (allowed.isdigit() and used.isdigit()):
        return float("inf")
    return float(max(0, int(allowed) - int(used) + (_entry(Path(folder) / "memory.stat", reclaimable) or 0)))


def _entry(path: Path, name: str) -> int | None:
    """Return the number behind a name in a file of the kernel's, None where there is none."""
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return None
    return next((int(words[1]) for words in lines if words[:1] == [name]), None)
