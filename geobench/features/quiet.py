"""Keeps transformers, diffusers and huggingface_hub from printing while a network is loaded.

What goes wrong is raised, and told by geobench in one sentence; their bars, tables and advice would bury it.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

_LIBRARIES = ("transformers", "diffusers", "huggingface_hub")
_WITH_BARS = ("transformers.utils.logging", "diffusers.utils.logging")


@contextmanager
def quiet_libraries(bars: bool = False) -> Iterator[None]:
    """Let the three libraries print nothing for a while; ``bars`` leaves their progress bars, for a download."""
    levels = {logger: logger.level for logger in map(logging.getLogger, _LIBRARIES)}
    for logger in levels:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if bars:
                yield
            else:
                with _no_bars():
                    yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)


@contextmanager
def _no_bars() -> Iterator[None]:
    hub: Any = import_module("huggingface_hub.utils")
    fetching, loading = not hub.are_progress_bars_disabled(), [name for name in _WITH_BARS if _shows_bars(name)]
    hub.disable_progress_bars()
    for name in loading:
        sys.modules[name].disable_progress_bar()
    try:
        yield
    finally:
        for name in loading:
            sys.modules[name].enable_progress_bar()
        # After transformers, which turns these on and off too.
        (hub.enable_progress_bars if fetching else hub.disable_progress_bars)()


def _shows_bars(name: str) -> bool:
    """Return whether a module that turns bars on and off is loaded, and they are on."""
    module: ModuleType | None = sys.modules.get(name)
    return module is not None and bool(getattr(module, "is_progress_bar_enabled", lambda: True)())
