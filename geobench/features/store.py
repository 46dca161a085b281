"""Features on disk: one safetensors file per image, pose and recipe, read instead of computed a second time.

A file's name is the SHA-256 of everything its features depend on, so a store is never out of date, and several runs,
recipes and processes can share one. Files are written whole. In half precision features are rounded, and what is
returned by :meth:`FeatureStore.write` is what was rounded: the first use of an image sees what later ones will.
"""

from __future__ import annotations

import json
import warnings
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from geobench.errors import GeobenchError, GeobenchWarning, InputError
from geobench.features.feature_map import FeatureMap
from geobench.features.letterbox import Letterbox
from geobench.features.levels import Levels
from geobench.files import write_bytes

StoreType = Literal["float16", "float32"]
Found = FeatureMap | Levels | tuple[FeatureMap | Levels, ...]


class StoreError(InputError):
    """The feature store cannot be used; it is no fault of a pair, so that the run stops."""


class FeatureStore:
    """A folder of features.

    Args:
        folder: where; made when needed.
        dtype: ``float16`` rounds features and halves their size, ``float32`` keeps them as they are.

    Attributes:
        entry_bytes: size of the last entry read or written, 0 before that.
    """

    def __init__(self, folder: Path, dtype: StoreType = "float16") -> None:
        self.folder, self.dtype = folder, dtype
        self.entry_bytes = 0

    def path(self, key: str) -> Path:
        """Return the file of an entry."""
        return self.folder / key[:2] / f"{key}.safetensors"

    def write(self, key: str, found: Found, about: dict[str, str]) -> Found:
        """Keep features, and return them as they will be read.

        Args:
            key: 64 hexadecimal digits that name all that they depend on.
            found: the features of one image.
            about: what the entry is, for people; strings by name.

        Raises:
            StoreError: the disk is full, the folder cannot be written, or a feature is too large for half precision.
        """
        from safetensors.torch import save

        tensors: dict[str, Tensor] = {}
        layout = _packed(found, tensors)
        small = {name: one.detach().cpu().to(getattr(torch, self.dtype)).contiguous() for name, one in tensors.items()}
        for name, one in tensors.items():
            if bool(one.isfinite().all()) and not bool(small[name].isfinite().all()):
                raise StoreError(
                    f"{self.folder}: features reach {float(one.abs().max()):g}, which half precision cannot hold; "
                    "pass --store-dtype float32"
                )
        # One string, since safetensors writes several in any order, and equal features shall give equal bytes.
        entry = json.dumps({"about": about, "layout": layout, "crc32": _checksum(small)}, sort_keys=True)
        content = save(small, {"entry": entry})
        try:
            write_bytes(self.path(key), content)
        except GeobenchError as error:
            raise StoreError(f"{error}, or leave --store out") from error
        except OSError as error:
            raise StoreError(
                f"{self.folder}: cannot be written ({error.strerror or error}); name another folder with --store"
            ) from error
        self.entry_bytes = len(content)
        return _unpacked(layout, small, {name: one.device for name, one in tensors.items()})

    def read(self, key: str, device: str = "cpu") -> Found | None:
        """Return the features of an entry in float32; None, after a warning if it is damaged, where there is none.

        Raises:
            StoreError: the file is there and cannot be read.
        """
        from safetensors import SafetensorError, safe_open

        path = self.path(key)
        if not path.is_file():
            return None
        try:
            with safe_open(path, "pt") as file:
                entry = json.loads((file.metadata() or {})["entry"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
            if entry["crc32"] != _checksum(tensors):
                raise ValueError("its checksum does not match")
            found = _unpacked(entry["layout"], tensors, dict.fromkeys(tensors, torch.device(device)))
            self.entry_bytes = path.stat().st_size
        except FileNotFoundError:  # removed since
            return None
        except (SafetensorError, ValueError, KeyError, TypeError) as error:
            warnings.warn(f"{path}: damaged ({error}); the image is described again", GeobenchWarning, stacklevel=2)
            return None
        except OSError as error:
            raise StoreError(
                f"{path}: cannot be read ({error.strerror or error}); remove it or check the disk"
            ) from error
        return found


def _packed(found: Found, tensors: dict[str, Tensor]) -> Any:
    """Return what features are made of, ready for JSON, and put their tensors into ``tensors``."""
    if isinstance(found, FeatureMap):
        name = str(len(tensors))
        tensors[name] = found.features
        return {"map": name, "letterbox": asdict(found.letterbox)}
    if isinstance(found, Levels):
        return {"levels": [_packed(one, tensors) for one in found.maps]}
    return {"groups": [_packed(one, tensors) for one in found]}


def _unpacked(layout: Any, tensors: dict[str, Tensor], devices: dict[str, torch.device]) -> Any:
    """Return the features that a layout describes, in float32, each map on its device."""
    if "map" in layout:
        name = layout["map"]
        frame = {key: tuple(value) for key, value in layout["letterbox"].items()}
        # Copied, so that no map keeps the file open.
        return FeatureMap(tensors[name].to(devices[name], torch.float32, copy=True), Letterbox(**frame))
    parts = [_unpacked(one, tensors, devices) for one in layout.get("levels", layout.get("groups"))]
    return Levels(parts) if "levels" in layout else tuple(parts)


def _checksum(tensors: dict[str, Tensor]) -> int:
    total = 0
    for name in sorted(tensors):
        total = zlib.crc32(tensors[name].contiguous().numpy().reshape(-1).data, total)
    return total
