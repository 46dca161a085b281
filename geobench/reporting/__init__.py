"""Tables and figures made from runs."""
