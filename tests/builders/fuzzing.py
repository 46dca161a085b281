"""Damages a miniature of any raw dataset, and says what a builder may do with it: build, or refuse in one sentence.

The damage is chosen by whole numbers that hypothesis draws, so a failure shrinks to the least damage that shows it. To
try more than the few inputs of a normal run: ``GEOBENCH_FUZZ_EXAMPLES=2000 pytest tests/builders/test_fuzz.py``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from geobench.builders.options import build_benchmark
from geobench.errors import GeobenchError, GeobenchWarning, InputError, UsageError
from geobench.storage import load_benchmark_folder
from tests.builders.raw_datasets import RawDataset, card_of

EXAMPLES = int(os.environ.get("GEOBENCH_FUZZ_EXAMPLES", "40"))
Draw = Callable[[int, int], int]  # (least, most) -> a number between them, both included

_JSON_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null|[\[\]{}:,]')
_FIELD = re.compile(rb"[^\s,]+")
_JSON_JUNK = tuple(b'NaN -1 0 1e400 1e30 null "" "../x" [] {} true 1.5 99999999999999999999999'.split())
_TEXT_JUNK = (*b"nan inf -1 0 1e400 99999 x 1.5 ../x 99999999999999999999999".split(), b"", b"1 2", b"\xff", b"\x00")
_BYTES_JUNK = (b"\x00", b"\xff", b"\n", b" ", b",", b'"', b"9", b"-", b"\xc3")


def damage_bytes(draw: Draw, content: bytes) -> bytes:
    """Return ``content`` cut off, with a few bytes changed or put in, or with a stretch missing."""
    at = draw(0, len(content))
    kind = draw(0, 3)
    if kind == 0:
        return content[:at]
    junk = _BYTES_JUNK[draw(0, len(_BYTES_JUNK) - 1)]
    skipped = (1, 0, draw(1, 40))[kind - 1]
    return content[:at] + (junk if kind < 3 else b"") + content[at + skipped :]


def damage_fields(draw: Draw, content: bytes, is_json: bool) -> bytes:
    """Return ``content`` with one of its fields (JSON: of its tokens) replaced by something it should not be."""
    fields = list((_JSON_TOKEN if is_json else _FIELD).finditer(content))
    if not fields:
        return b"x"
    junk = _JSON_JUNK if is_json else _TEXT_JUNK
    start, end = fields[draw(0, len(fields) - 1)].span()
    return content[:start] + junk[draw(0, len(junk) - 1)] + content[end:]


def damage_lines(draw: Draw, content: bytes) -> bytes:
    """Return ``content`` with a line missing, doubled, joined with the next, or moved to the front."""
    lines = content.split(b"\n")
    at = draw(0, len(lines) - 1)
    line, rest = lines[at], lines[:at] + lines[at + 1 :]
    changed = (rest, [*lines, line], [*lines[:at], b" ".join(lines[at : at + 2]), *lines[at + 2 :]], [line, *rest])
    return b"\n".join(changed[draw(0, 3)])


def damage_record(draw: Draw, content: bytes) -> bytes:
    """Return a JSON document with one of its values, or one of its keys, missing."""
    document = json.loads(content)
    place = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = keys[draw(0, len(keys) - 1)]
        if not isinstance(place[key], dict | list) or not place[key] or draw(0, 3) == 0:
            break
        place = place[key]
    del place[key]
    return json.dumps(document).encode()


def damage_file(draw: Draw, path: Path) -> str:
    """Damage the file at ``path`` and return what was done, for the reader of a failure."""
    content = path.read_bytes()
    is_json = path.suffix == ".json"
    is_text = is_json or path.suffix in {".txt", ".csv", ".jsonl", ".toml"}
    kind = draw(0, 9)
    if kind == 0:
        path.unlink()
        return f"{path.name}: removed"
    if kind <= 2 or not is_text:
        damaged = damage_bytes(draw, content)
    elif kind <= 6:
        damaged = damage_fields(draw, content, is_json)
    else:
        damaged = damage_record(draw, content) if is_json and content else damage_lines(draw, content)
    path.write_bytes(damaged)
    return f"{path.name}: now {len(damaged)} of {len(content)} bytes"


def damage(draw: Draw, raw: RawDataset, source: Path) -> list[str]:
    """Damage one or two files below ``source``, seldom an image, and return what was done."""
    annotations, images = raw.annotation_files(source), raw.image_files(source)
    done = []
    for _ in range(draw(1, 2)):
        files = images if draw(0, 9) == 9 or not annotations else annotations
        done.append(damage_file(draw, files.pop(draw(0, len(files) - 1))))
    return done


def builds_or_refuses(name: str, raw: RawDataset, source: Path, out: Path) -> bool:
    """Build from ``source`` into ``out``; return whether it went through.

    Raises:
        AssertionError: something else happened than a sound benchmark, or one sentence that names a file and leaves
            nothing behind.
    """
    known = {path.name for path in source.rglob("*")} | {source.name, *(Path(one).name for one in raw.annotations)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GeobenchWarning)
        try:
            build_benchmark(card_of(name), source, raw.options).save(out)
        except GeobenchError as error:
            _check_refusal(error, known, out)
            return False
        _check_benchmark(out)
    return True


def _check_refusal(error: GeobenchError, known: set[str], out: Path) -> None:
    assert isinstance(error, InputError | UsageError), f"{type(error).__name__}: {error}"
    sentence = str(error)
    assert "\n" not in sentence, sentence
    assert len(sentence) < 700, sentence
    assert any(word in sentence for word in known), f"names no file: {sentence}"
    assert not list(out.parent.iterdir()), f"left behind: {sorted(out.parent.iterdir())}"


def _check_benchmark(out: Path) -> None:
    table = load_benchmark_folder(out).instances
    assert np.isfinite(table.keypoints).all()
    assert np.isfinite(table.bbox).all()
    assert (table.bbox[:, 2:] >= 0).all()
    shutil.rmtree(out)
