"""A recipe whose features are cheap, for trainings in tests; what it says of training is the test's own."""

FEATURES = """
title = "Row"
[[features]]
extractor = "dense-sift"
side = 64
grid = 8
samples = 8
bins = [6]
[matcher]
kind = "nearest"
"""
