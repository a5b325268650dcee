"""Which image of an index a machine gets."""

from __future__ import annotations

from eaa.errors import UnsupportedError
from eaa.oci.manifest import Descriptor, ImageIndex
from eaa.oci.platform import Platform

__all__ = ["select_platform"]

_SHOWN = 8


def select_platform(index: ImageIndex, machine: Platform) -> Descriptor:
    """The descriptor in ``index`` whose platform suits ``machine`` best; the first of equals.

    Raises:
        UnsupportedError: ``unsupported.platform``: none does; the message has what there is.
    """
    best: Descriptor | None = None
    best_rank = -1
    for descriptor in index.manifests:
        rank = None if descriptor.platform is None else descriptor.platform.suits(machine)
        if rank is not None and rank > best_rank:
            best, best_rank = descriptor, rank
    if best is None:
        offered = [str(item.platform)[:64] for item in index.manifests if item.platform is not None]
        raise UnsupportedError(
            f"the image is not for {machine}; it is for {', '.join(offered[:_SHOWN]) or 'no platform'}",
            detail="platform",
        )
    return best
