"""Predictions in, scores out: protocol, runner, PCK and what a run leaves behind."""
