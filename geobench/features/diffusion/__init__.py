"""What the extractors from Stable Diffusion share: its networks, its text condition, its noise, its truncated UNet."""
