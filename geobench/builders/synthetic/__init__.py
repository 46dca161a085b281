"""The embedded benchmark: procedurally rendered quadrupeds with true keypoints, masks and azimuths.

Articulated animals built of round cones and ellipsoids are ray-cast analytically with NumPy, so that
everything in the benchmark can be tried offline. ``render_dataset`` writes AP-10K's raw layout.

    noise, raycast            building blocks: texture tiles, intersections, views
    body, legs, head, anatomy one animal: bones, solids and keypoints
    coat, species, pose       colours; eleven species of five families; random individuals and poses
    habitat, scene            what stands around; camera and sun. Azimuth is defined in ``scene``
    light, surface, render    the picture and its ground truth
    dataset, contact          the files; a contact sheet
"""

from geobench.builders.synthetic.contact import contact_sheet
from geobench.builders.synthetic.dataset import DATASET_VERSION, render_dataset

__all__ = ["DATASET_VERSION", "contact_sheet", "render_dataset"]
