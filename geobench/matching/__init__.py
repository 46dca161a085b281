"""Two feature maps + query points -> target points."""
