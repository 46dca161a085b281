"""What a run says of the file that its predictions were imported from."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class ImportRecord(BaseModel):
    """Where imported predictions come from.

    Attributes:
        file: name of the file.
        sha256: of its bytes.
        frame: what its coordinates were in, as ``--frame`` named it.
        source: who or what made it, in the words of the person who imported it.
        by: which program imported it.
        at: when, in UTC.
    """

    model_config = ConfigDict(extra="forbid")

    file: str
    sha256: str
    frame: str
    source: str = ""
    by: str
    at: str
