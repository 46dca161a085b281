"""What a run must record to be repeated: versions, commit, device, peak memory."""

from __future__ import annotations

import platform
import resource
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from pydantic import BaseModel

from geobench.version import __version__

_RECORDED_PACKAGES = ("numpy", "opencv-python-headless", "pandas", "pillow", "pyarrow", "scipy", "torch")


class GitState(BaseModel):
    """The commit a checkout was at, and whether it had uncommitted changes."""

    commit: str
    dirty: bool


def git_state(folder: Path | None = None) -> GitState | None:
    """Return the git state of geobench's checkout (or of ``folder``), or None outside a checkout."""
    folder = folder or Path(__file__).resolve().parents[2]
    if not (folder / ".git").exists():
        return None

    def git(*arguments: str) -> str:
        # Arguments are constants of this function; no shell is involved.
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()  # noqa: S603

    try:
        return GitState(commit=git("rev-parse", "HEAD"), dirty=bool(git("status", "--porcelain")))
    except (OSError, subprocess.SubprocessError):
        return None


def package_versions() -> dict[str, str]:
    """Return the versions of geobench, Python and the packages that numbers depend on."""
    versions = {"geobench": __version__, "python": platform.python_version()}
    for name in _RECORDED_PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def machine() -> str:
    """Return a short description of the machine: system, architecture and processor."""
    return f"{platform.system()} {platform.release()} {platform.machine()}"


def peak_memory_mib() -> float:
    """Return the peak resident memory of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
