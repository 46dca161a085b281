"""Checkpoints on the Hugging Face hub and in its cache: their folders, what is fetched of them, why that failed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from geobench.features.checkpoint import PICKLED, SAFE, is_complete
from geobench.features.quiet import quiet_libraries

UNREACHABLE = "the hub cannot be reached"
"""Why nothing was fetched where there is no connection: other names need not be tried."""

OFFLINE = "HF_HUB_OFFLINE is set"
"""Why nothing was fetched where the user forbids it."""

PATIENCE = 10.0
"""Seconds after which a hub that does not answer counts as unreachable."""

_SMALL = ("*.json", "*.txt", "*.model")  # configurations and tokenizers


def cached(name: str, subfolder: str = "") -> Path | None:
    """Return the folder of a checkpoint in the hub's cache (below ``HF_HOME``); None where it is not there, or in part.

    Raises:
        InputError: the index of its shards cannot be read.
    """
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    for mark in ("config.json", "tokenizer_config.json"):
        try:
            found = try_to_load_from_cache(name, f"{subfolder}/{mark}" if subfolder else mark)
        except HFValidationError:  # such as a path
            return None
        if isinstance(found, str) and is_complete(Path(found).parent):
            return Path(found).parent
    return None


def fetch(name: str, subfolder: str = "") -> Path | str:
    """Fetch a checkpoint into the hub's cache and return its folder, or a phrase that says why it was not had."""
    from huggingface_hub.constants import is_offline_mode

    if is_offline_mode():
        return OFFLINE
    try:
        for weights in (SAFE, PICKLED):
            folder = _snapshot(name, subfolder, [*_SMALL, *(file for one in weights for file in _with_shards(one))])
            if is_complete(folder):
                return folder
    except Exception as error:  # the hub's errors, requests' and httpx's share no base
        return _reason(name, error)
    return f"it is on the hub without {subfolder or 'its'} weights in full precision"


def command_to_fetch(name: str, subfolder: str = "") -> str:
    """Return the command that fetches into a folder ``WEIGHTS`` what recipes read of a checkpoint.

    Of one with subfolders: JSON, text and safetensors of these, without the ``.fp16.`` and ``.non_ema.`` copies.
    """
    chosen = ' --include "*/*.[jst]*" --exclude "*.[fn]*"' if subfolder else ""
    return f"hf download {name}{chosen} --local-dir WEIGHTS"


def _with_shards(name: str) -> tuple[str, str]:
    stem, _, suffix = name.rpartition(".")
    return name, f"{stem}-*-of-*.{suffix}"


def _snapshot(name: str, subfolder: str, files: Sequence[str]) -> Path:
    from huggingface_hub import HfApi, snapshot_download

    patterns = [f"{subfolder}/{file}" if subfolder else file for file in files]
    with quiet_libraries(bars=sys.stderr.isatty()):
        HfApi().repo_info(name, timeout=PATIENCE)  # snapshot_download would ask the same without a limit
        return Path(snapshot_download(name, allow_patterns=patterns)) / subfolder


def _reason(name: str, error: Exception) -> str:
    kind = type(error).__name__
    reasons = {
        "HFValidationError": "it is neither a folder here nor a name on the hub",
        "GatedRepoError": f"accept its terms at https://huggingface.co/{name} and run `hf auth login`",
        "RepositoryNotFoundError": "the hub has no such model, or it is private",
    }
    if kind in _NO_CONNECTION or kind.endswith("Timeout"):
        return UNREACHABLE
    first_line = (str(error).strip().splitlines() or [""])[0][:200]
    return reasons.get(kind, f"{kind}: {first_line}")


_NO_CONNECTION = {
    *("LocalEntryNotFoundError", "IncompleteSnapshotError"),  # the hub's, after it has tried
    *("ConnectError", "ReadError", "RemoteProtocolError", "ProxyError"),  # httpx's
    *("ConnectionError", "SSLError"),  # requests', which older versions of the hub use
}
