"""The repository of results: its layout, and the checks that every run in it passes."""
