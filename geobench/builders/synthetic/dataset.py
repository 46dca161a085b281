"""Writes the embedded dataset in AP-10K's raw layout, for the same builder that reads AP-10K."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from geobench.builders.synthetic.render import KEYPOINTS, Rendering, render
from geobench.builders.synthetic.scene import Scene, azimuth, random_scene
from geobench.builders.synthetic.species import SPECIES, Species
from geobench.errors import GeobenchError, UsageError
from geobench.files import whole_folder

DATASET_VERSION = 1
"""Raised whenever any byte of the annotations could change for the same seed."""

CROWDED = 4
"""Images at full size that show two animals and are listed in ap-10k_is_crowd.txt."""

CUT = 2
"""Images at full size so badly cut that fewer than 3 keypoints are visible, which AP-10K's rule leaves out."""

SKELETON = (
    (1, 2), (1, 3), (2, 3), (3, 4), (4, 5), (4, 6), (6, 7), (7, 8), (4, 9), (9, 10), (10, 11), (5, 12), (12, 13),
    (13, 14), (5, 15), (15, 16), (16, 17),
)  # fmt: skip
"""AP-10K's limbs, as one-based pairs of keypoints."""

_FILES = ("train", "train", "train", "train", "train", "train", "train", "val", "test", "test")
_NORMAL, _HIDDEN = (6, 17), (1, 2)


@dataclass(frozen=True)
class _Plan:
    """One image to render: its id, who is on it, and how many keypoints must be visible."""

    image: int
    species: tuple[Species, ...]
    keypoints: tuple[int, int] = _NORMAL
    fill: float | None = None


def render_dataset(
    folder: Path,
    *,
    seed: int = 0,
    images: int | None = None,
    size: int = 256,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Render the dataset into ``folder`` and return ``folder``; the same arguments give the same bytes.

    Writes annotations/ap10k-{train,val,test}-split1.json (COCO, with "mask" and "azimuth" in every annotation),
    data/*.jpg, masks/*.png (white = animal, one per annotation), ap-10k_is_crowd.txt and GENERATOR.json. An
    existing folder is replaced once the new one is complete. Keypoints and boxes are in pixels, pixel centres
    at .5, rounded to 0.01; azimuth, defined in ``scene``, is in degrees, rounded to 0.1.

    Args:
        folder: where to write.
        seed: 0 or more; every image has a generator of its own, so an image does not depend on the others.
        images: number of images, shared out among species in proportion; None means all of them.
        size: side of the square images, in pixels, 64 or more.
        progress: called after every image with the number done and the number in all.

    Raises:
        UsageError: an argument is out of range.
        GeobenchError: the folder cannot be written.
    """
    if seed < 0 or size < 64 or (images is not None and images < 1):
        raise UsageError(f"seed {seed}, size {size}, images {images}: need seed >= 0, size >= 64, images >= 1")
    plans = _plans(images)
    with whole_folder(folder) as temporary:
        for name in ("annotations", "data", "masks"):
            (temporary / name).mkdir()
        files: dict[str, dict[str, Any]] = {name: _empty(name) for name in ("train", "val", "test")}
        number = 0
        for done, plan in enumerate(plans, start=1):
            scene, rendering = _draw(plan, seed, size)
            Image.fromarray(rendering.picture).save(temporary / "data" / f"{plan.image:012d}.jpg", quality=92)
            content = files[_FILES[plan.image % 10]]
            content["images"].append(_image_record(plan.image, size, scene))
            records = _annotations(plan, scene, rendering, number + 1)
            number += len(records)
            content["annotations"] += records
            for record, mask in zip(records, rendering.masks, strict=True):
                Image.fromarray(mask).save(temporary / str(record["mask"]))
            if progress is not None:
                progress(done, len(plans))
        _finish(temporary, files, plans, seed, size)
    return folder


def _plans(images: int | None) -> list[_Plan]:
    crowds = tuple((SPECIES[i % len(SPECIES)],) * 2 for i in (0, 3, 6, 9))[:CROWDED]
    everyone = [_Plan(0, (kind,)) for kind in SPECIES for _ in range(kind.images)]
    everyone += [_Plan(0, pair, keypoints=(3, 17)) for pair in crowds]
    everyone += [_Plan(0, (SPECIES[3 * i],), _HIDDEN, fill=3.2) for i in range(CUT)]
    total = len(everyone)
    wanted = total if images is None else images
    # Evenly spread over the full list, which runs species by species, so that proportions are kept.
    chosen = [everyone[(2 * i + 1) * total // (2 * wanted)] for i in range(wanted)]
    return [_Plan(i, p.species, p.keypoints, p.fill) for i, p in enumerate(chosen, start=1)]


def _draw(plan: _Plan, seed: int, size: int) -> tuple[Scene, Rendering]:
    """Render until enough of the animal is seen."""
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy=seed, spawn_key=(plan.image,))))
    for _ in range(200):
        scene = random_scene(plan.species, size, rng, plan.fill)
        rendering = render(scene)
        counts, areas = rendering.visible.sum(axis=1), rendering.masks.sum(axis=(1, 2))
        low, high = plan.keypoints
        if counts.min() >= low and counts.max() <= high and areas.min() >= 0.008 * size * size:
            return scene, rendering
    raise GeobenchError(f"image {plan.image}, seed {seed}: no acceptable scene in 200 draws; take another seed")


def _image_record(image: int, size: int, scene: Scene) -> dict[str, Any]:
    name, background = f"{image:012d}.jpg", scene.habitat.number
    return {"license": 1, "id": image, "file_name": name, "width": size, "height": size, "background": background}


def _annotations(plan: _Plan, scene: Scene, rendering: Rendering, first: int) -> list[dict[str, Any]]:
    records = []
    for i, animal in enumerate(scene.animals):
        mask, visible = rendering.masks[i], rendering.visible[i]
        triples = zip(rendering.keypoints[i].tolist(), np.where(visible, 2, 0).tolist(), strict=True)
        records.append(
            {
                "id": first + i,
                "image_id": plan.image,
                "category_id": SPECIES.index(animal.species) + 1,
                "bbox": box(mask),
                "area": int(mask.sum()),
                "iscrowd": 0,
                "num_keypoints": int(visible.sum()),
                "keypoints": [value for (x, y), flag in triples for value in (x, y, flag)],
                "mask": f"masks/{first + i:012d}.png",
                "azimuth": azimuth(animal, scene.view),
            }
        )
    return records


def box(mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> list[int]:
    """Return the tight box [x, y, w, h] in pixels around the true pixels of ``mask`` [H, W] (not empty)."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    x, y = int(columns[0]), int(rows[0])
    return [x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1]


def _empty(name: str) -> dict[str, Any]:
    categories = [
        {"id": i, "name": kind.name, "supercategory": kind.family, "keypoints": list(KEYPOINTS), "skeleton": SKELETON}
        for i, kind in enumerate(SPECIES, start=1)
    ]
    info = {"description": f"geobench quadrupeds, rendered, {name} file", "version": DATASET_VERSION}
    licence = {"id": 1, "name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"}
    return {"info": info, "licenses": [licence], "images": [], "annotations": [], "categories": categories}


def _finish(folder: Path, files: dict[str, dict[str, Any]], plans: list[_Plan], seed: int, size: int) -> None:
    crowded = [plan.image for plan in plans if len(plan.species) > 1]
    (folder / "ap-10k_is_crowd.txt").write_text("".join(f"{i:012d}\n" for i in crowded), encoding="utf-8")
    species = {kind.name: sum(kind in plan.species for plan in plans) for kind in SPECIES}
    record = {
        "generator": "geobench.builders.synthetic",
        "version": DATASET_VERSION,
        "seed": seed,
        "size": size,
        "images": len(plans),
        "annotations": sum(len(content["annotations"]) for content in files.values()),
        "crowded": len(crowded),
        "species": species,
    }
    (folder / "GENERATOR.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    for name, content in files.items():
        path = folder / "annotations" / f"ap10k-{name}-split1.json"
        path.write_text(json.dumps(content) + "\n", encoding="utf-8")
