"""A method describes one image and matches two descriptions."""
