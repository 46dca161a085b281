"""Where the weights of a recipe's networks come from: a path the user gave, a local folder, the hub's cache, the hub.

A network is one *part* of a recipe (``dinov2``, ``stable-diffusion``, ``odise`` …). ``--weights PART=PATH`` names its
weights; without it the ids of the recipe are tried in order, first on this machine (a folder of that name, the hub's
cache below ``HF_HOME``), then on the Hugging Face hub. Nothing is unpickled: weights are safetensors, or PyTorch files
read with ``weights_only=True``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeVar

from torch import nn

from geobench.errors import InputError, UsageError, nearest_names
from geobench.features.checkpoint import complete_folder
from geobench.features.hub import OFFLINE, UNREACHABLE, cached, command_to_fetch, fetch
from geobench.features.state_dict import digest_of_weights, pretrained
from geobench.seeding import seed_for, seeded

RandomSize = Literal["tiny", "full"]
NetworkT = TypeVar("NetworkT", bound=nn.Module)


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
        """Return the folder of a part: ``config.json`` with all weights, or a tokenizer.

        Raises:
            InputError: it is not on this machine and cannot be fetched; the message says what to fetch and where to.
        """
        self._asked.add(part)
        if part in self.chosen:
            return complete_folder(self.chosen[part], subfolder, f"--weights {part}={self.chosen[part]}")
        for name in ids:
            if (Path(name) / subfolder).is_dir():
                return complete_folder(Path(name), subfolder, part)
        for name in ids:
            found = cached(name, subfolder)
            if found is not None:
                return found
        return self._fetched(part, ids, subfolder)

    def _fetched(self, part: str, ids: Sequence[str], subfolder: str) -> Path:
        reasons: dict[str, str] = {}
        for name in ids:
            found = fetch(name, subfolder)
            if isinstance(found, Path):
                return found
            reasons[name] = found
            if found in (UNREACHABLE, OFFLINE):  # for the other names too, after as long a wait
                break
        inside = f" (folder {subfolder})" if subfolder else ""
        others = f" or {', '.join(ids[1:])}" if ids[1:] else ""
        idle = ", ".join(sorted(set(self.chosen) - self._asked))
        raise InputError(
            f"{part}: no weights of {ids[0]}{inside}{others} on this machine, and they could not be fetched "
            f"({_why(reasons)}); on a machine with a connection run `{command_to_fetch(ids[0], subfolder)}`, copy that "
            f"folder here, and pass --weights {part}=WEIGHTS{f' (given for now: {idle})' if idle else ''}; to try the "
            "plumbing without weights, pass --random-weights"
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

    def packaged(self, part: str, path: Path) -> Path | None:
        """Return the file of weights of a part that geobench brings along; None with random weights.

        Args:
            part: name of the part.
            path: the package's file, used unless the user named another.

        Raises:
            InputError: the file that the user named is not there.
        """
        self._asked.add(part)
        if self.random is not None:
            self._note(part, "", f"random ({self.random})")
            return None
        chosen = self.chosen.get(part, path)
        if not chosen.is_file():
            raise InputError(f"{part}: there is no file {chosen}; leave out --weights {part} for geobench's own")
        self._note(part, "", digest_of_weights(chosen))
        return chosen

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
        chosen[part] = Path(path).expanduser()
    return chosen


def _why(reasons: Mapping[str, str]) -> str:
    """Return why no place had the weights; without the places where it is the same everywhere."""
    if len(set(reasons.values())) == 1:
        return next(iter(reasons.values()))
    return "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
