"""How the embedded backbone ``quadnet`` was trained: ``python -m geobench.training.quadnet --out FILE.safetensors``.

    species       invented species, none of them in the embedded benchmark
    correspond    where a rendered surface point lies on one template animal, left and right merged
    views         the training pictures with their truth, rendered once
    augment       batches of turned, scaled, mirrored and recoloured views
    objective     contrast between animals, and which way the animal faces
    loop          the optimisation

No keypoint and no name of a side is used: a point of the left flank and its mirror image are one place. Trained on
4,000 pictures of 400 invented species; docs/quadnet.md says how long it took and what came out.
"""
