"""The page that goes with an exported task: what the columns are, an example, and how the answers come back."""

from __future__ import annotations

from geobench.benchmark import Benchmark
from geobench.evaluation.protocol import Protocol, protocol_names

EXAMPLE = """\
import pandas as pd

images = pd.read_parquet("images.parquet").set_index("image")
asked = pd.read_parquet("queries.parquet")
size = images[["width", "height"]].astype(float)
source, target = size.loc[asked.source].to_numpy(), size.loc[asked.target].to_numpy()
asked[["x", "y"]] = asked[["x", "y"]].to_numpy() / source * target  # the same place in the other image
asked[["pair", "keypoint", "x", "y"]].to_csv("answers.csv", index=False)
"""
"""A program that answers a task, run in its folder; docs/predictions.md shows it too."""


def import_command(benchmark: Benchmark, split: str, protocol: Protocol) -> str:
    """Return the command that imports answers to a task; a protocol that is no preset is called by a file's name."""
    name = protocol.name if protocol.name in protocol_names() else f"{protocol.name}.toml"
    under = "" if name == "default" else f" --protocol {name}"
    return (
        f"geobench import answers.csv --benchmark {benchmark.name} --split {split} --name my-method "
        f"--fingerprint {benchmark.fingerprint[:12]}{under}"
    )


def readme(benchmark: Benchmark, split: str, protocol: Protocol, counts: dict[str, int], images: str | None) -> str:
    """Return README.md of an exported task, as Markdown.

    Args:
        benchmark: what was exported.
        split: its name.
        protocol: what decided the questions.
        counts: number of rows of ``images``, ``pairs`` and ``queries``.
        images: ``copy``, ``link``, or None where images are not in the folder.
    """
    place = "in this folder" if images else "below the dataset's folder of images, with `images/` in front"
    return f"""\
# {benchmark.card.title}: {split}

{counts["queries"]:,} points of {counts["pairs"]:,} pairs of {counts["images"]:,} images. For each point of a source
image, say where the same part is in the target image. The true answers are not here.

Benchmark `{benchmark.name}`, fingerprint `{benchmark.fingerprint}`; questions as protocol `{protocol.name}` asks them.
Licence of the data: {benchmark.card.licence}.

Every table is there as CSV and as Parquet. Ids are texts: read CSV with `dtype={{"image": str, "source": str,
"target": str}}`, or their leading zeros are lost. Coordinates are (x, y) in pixels of the original image, pixel
centres at .5.

| table | column | |
|---|---|---|
| `images` | `image` | id |
| | `file`, `mask` | paths {place}; `mask` is empty where there is none |
| | `width`, `height` | pixels |
| | `category` | |
| | `box_x`, `box_y`, `box_width`, `box_height` | box of the object, pixels |
| `pairs` | `pair` | number in the split |
| | `source`, `target` | ids: points are asked of the source and answered in the target |
| | `category` | under which the pair is counted |
| | `points` | how many are asked |
| `queries` | `pair`, `source`, `target` | as above |
| | `keypoint`, `name` | number and name in the skeleton |
| | `x`, `y` | the point in the source image |

A method may know an image's pixels, category, box and mask, and the point. What is asked in one pair may be the answer
of another: do not use that.

Write one row per row of `queries`: `pair`, `keypoint`, `x`, `y`, the point in the target image.

```python
{EXAMPLE}```

```sh
{import_command(benchmark, split, protocol)}
```

(`--benchmark` takes the folder of the benchmark where it is not one that geobench brings along.)
"""
