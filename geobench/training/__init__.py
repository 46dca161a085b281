"""Training: the geometry-aware post-processor, and the embedded backbone it can stand on."""
