"""What a layer takes away from those below it [OCI-IMAGE layer, Whiteouts]."""

from __future__ import annotations

import os

from eaa.errors import FormatError
from eaa.services.image_pull.rooted import Place, Root

__all__ = ["PREFIX", "apply_whiteout"]

PREFIX = ".wh."
_OPAQUE = ".wh..wh..opq"
_RESERVED = ".wh..wh."


def apply_whiteout(root: Root, parts: tuple[str, ...], own: set[tuple[str, ...]]) -> None:
    """Take away what the entry ``parts``, whose name begins with :data:`PREFIX`, says.

    ``own`` has the resolved paths of this layer's own entries and of the folders above them: those stay,
    in whatever order the layer has them.

    Raises:
        FormatError: ``format.whiteout``: a name that is none.
    """
    name = parts[-1]
    hidden = name.removeprefix(PREFIX)
    if name != _OPAQUE and (name.startswith(_RESERVED) or hidden in {"", ".", ".."}):
        raise FormatError(f"no whiteout: {name[:64]!a}", what="image layer", field="path", detail="whiteout")
    try:
        with root.place(parts, create=False) as place:
            if name == _OPAQUE:
                for child in os.listdir(place.folder):
                    _purge(Place(place.folder, child, (*place.path[:-1], child)), own)
            else:
                _purge(Place(place.folder, hidden, (*place.path[:-1], hidden)), own)
    except FileNotFoundError:
        return  # nothing is there to be taken away


def _purge(place: Place, own: set[tuple[str, ...]]) -> None:
    if place.path not in own:
        place.remove()
    elif place.is_folder():
        folder = place.open_folder()
        try:
            for child in os.listdir(folder):
                _purge(place.inside(child, folder), own)
        finally:
            os.close(folder)
