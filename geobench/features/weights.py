"""Where the weights of a recipe's networks come from: a path the user gave, a local folder, the hub's cache, the hub.

A network is one *part* of a recipe (``dinov2``, ``stable-diffusion``, ``odise`` …). ``--weights PART=PATH`` names its
weights; without it the ids of the recipe are tried in order, first on this machine, then on the Hugging Face hub.
Nothing is unpickled: weights are safetensors, or PyTorch files read with ``weights_only=True``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from torch import nn

from geobench.errors import InputError, UsageError, nearest_names
from geobench.features.state_dict import digest_of_weights, pretrained
from geobench.seeding import seed_for, seeded

RandomSize = Literal["tiny", "full"]
NetworkT = TypeVar("NetworkT", bound=nn.Module)

WEIGHT_FILES = ("*.json", "*.txt", "*.model", "*.safetensors")
_OTHER_PRECISIONS = ("*fp16*", "*non_ema*", "*ema_only*", "*openvino*", "*flax*", "*onnx*")


class Weights:
    """The weights of one recipe.

    Args:
        chosen: paths the user gave, by part.
        random: build networks with seeded random weights instead: ``tiny`` has the architecture's shape with few
            channels and layers, ``full`` its true size. For trying the plumbing; such runs stay off leaderboards.

    Attributes:
        loaded: what each part was loaded from, as run.json records it: SHA-256, or ``random (tiny)``.
    """

    def __init__(self, chosen: Mapping[str, Path] | None = None, random: RandomSize | None = None) -> None:
        self.chosen = dict(chosen or {})
        self.random = random
        self.loaded: dict[str, str] = {}
        self._asked: set[str] = set()

    def network(
        self,
        part: str,
        cls: type[NetworkT],
        ids: Sequence[str],
        randomly: Callable[[bool], NetworkT],
        subfolder: str = "",
    ) -> NetworkT:
        """Return a network of transformers or diffusers, in float32 and evaluation mode, on the CPU.

        Args:
            part: name of the part.
            cls: the class, with ``from_pretrained``.
            ids: names on the hub or folders, tried in order.
            randomly: makes the network for ``--random-weights``; its argument says whether it shall be tiny.
            subfolder: folder of the network below the checkpoint's, as in diffusers' layout.

        Raises:
            InputError: the weights are absent, damaged, or belong to another architecture.
        """
        self._asked.add(part)
        if self.random is not None:
            self._note(part, subfolder, f"random ({self.random})")
            with seeded(seed_for(0, part, subfolder)):
                return randomly(self.random == "tiny").float().eval()
        folder = self.folder(part, ids, subfolder)
        network = pretrained(cls, folder)
        self._note(part, subfolder, digest_of_weights(folder))
        return network

    def folder(self, part: str, ids: Sequence[str], subfolder: str = "") -> Path:
        """Return the folder with ``config.json`` and weights of a part.

        Raises:
            InputError: it is not on this machine and cannot be fetched; the message says what to fetch and where to.
        """
        self._asked.add(part)
        if part in self.chosen:
            return _given_folder(part, self.chosen[part], subfolder)
        for name in ids:
            if (Path(name) / subfolder).is_dir():
                return Path(name) / subfolder
        for offline in (True, False):
            for name in ids:
                found = _from_hub(name, subfolder, offline)
                if found is not None:
                    return found
        inside = f" (folder {subfolder})" if subfolder else ""
        raise InputError(
            f"{part}: no weights of {ids[0]}{inside} on this machine, and they could not be fetched; on a machine with "
            f"a connection run `hf download {ids[0]} --local-dir WEIGHTS`, copy the folder here, and pass "
            f"--weights {part}=WEIGHTS (other places tried: {', '.join(ids[1:]) or 'none'}); to try the plumbing "
            "without weights, pass --random-weights"
        )

    def file(self, part: str, name: str, source: str) -> Path | None:
        """Return the file of weights of a part; None with random weights.

        Args:
            part: name of the part.
            name: the file's name, looked for in geobench's cache folder.
            source: where a person fetches it.

        Raises:
            InputError: the file is not there; the message says where to fetch it from and where to put it.
        """
        self._asked.add(part)
        if self.random is not None:
            self._note(part, "", f"random ({self.random})")
            return None
        kept = weights_folder() / name
        path = self.chosen.get(part, kept)
        if path.is_dir():
            path = path / name
        if not path.is_file():
            raise InputError(
                f"{part}: there is no file {path}; fetch {name} from {source}, and put it at {kept} or pass "
                f"--weights {part}=FILE; to try the plumbing without weights, pass --random-weights"
            )
        self._note(part, "", digest_of_weights(path))
        return path

    def check_all_used(self) -> None:
        """Refuse a path for a part that the recipe does not have.

        Raises:
            UsageError: there is one; the message names the parts.
        """
        for part in self.chosen:
            if part not in self._asked:
                known, near = ", ".join(sorted(self._asked)) or "none", nearest_names(part, self._asked)
                raise UsageError(f"--weights {part}=…: the recipe has no such part{near}; it has: {known}")

    def _note(self, part: str, subfolder: str, what: str) -> None:
        self.loaded[f"{part}/{subfolder}" if subfolder else part] = what


def weights_folder() -> Path:
    """Return the folder in which geobench looks for weight files that are on no hub."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("geobench")) / "weights"


def parse_chosen(given: Sequence[str]) -> dict[str, Path]:
    """Return the paths that ``--weights PART=PATH`` named, by part.

    Raises:
        UsageError: one is not of this form, or a part is named twice.
    """
    chosen: dict[str, Path] = {}
    for text in given:
        part, sign, path = text.partition("=")
        if not (sign and part and path):
            raise UsageError(f"--weights {text}: write PART=PATH, as in --weights dinov2=weights/dinov2-base")
        if part in chosen:
            raise UsageError(f"--weights names {part} twice; name it once")
        chosen[part] = Path(path)
    return chosen


def _given_folder(part: str, path: Path, subfolder: str) -> Path:
    folder = path / subfolder if subfolder and (path / subfolder).is_dir() else path
    if not (folder / "config.json").is_file():
        raise InputError(
            f"--weights {part}={path}: {folder} has no config.json; name the folder that `hf download` or "
            "save_pretrained wrote"
        )
    return folder


def _from_hub(name: str, subfolder: str, offline: bool) -> Path | None:
    """Return the folder of a checkpoint in the hub's cache, after fetching it unless ``offline``; None if not had."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    patterns = [f"{subfolder}/{pattern}" if subfolder else pattern for pattern in WEIGHT_FILES]
    options: dict[str, Any] = {"allow_patterns": patterns, "ignore_patterns": list(_OTHER_PRECISIONS)}
    try:
        folder = Path(snapshot_download(name, local_files_only=offline, **options)) / subfolder
    except (OSError, HFValidationError, RuntimeError):  # not cached; no connection, no such id, no access
        return None
    complete = (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))
    return folder if complete else None
