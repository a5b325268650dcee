"""Endorsements from files as one pool."""

from __future__ import annotations

from eaa.cli.files import CollateralFiles
from eaa.endorsements.bundle import merge, read_endorsement_folder, read_endorsements
from eaa.endorsements.pool import EndorsementPool

__all__ = ["read_collateral"]


def read_collateral(files: CollateralFiles) -> tuple[EndorsementPool, list[str]]:
    """What ``files`` hold, and a note for each file of a folder that was not understood.

    Raises:
        FormatError: a named file is no endorsement, or one of any file is malformed.
    """
    named = (read_endorsements(name, data) for name, data in files.named.items())
    pool = merge([*named, read_endorsement_folder(files.found)])
    return pool, [f"{name}: not an endorsement that is known, ignored" for name in pool.ignored]
