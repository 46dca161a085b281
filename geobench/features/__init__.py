"""Image -> dense feature map, one file per backbone."""
