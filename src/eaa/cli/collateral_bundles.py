"""Signed bundles among the files of ``--collateral``, as sources of endorsements."""

from __future__ import annotations

from eaa.cli.endorsements_carry import verifying_key
from eaa.cli.files import CollateralFiles
from eaa.provider.kept_source import KeptSource
from eaa.provider.signed_bundle import decode_bundle, is_bundle

__all__ = ["take_bundles"]


def take_bundles(
    files: CollateralFiles, *, signed_by: str | None
) -> tuple[CollateralFiles, tuple[KeptSource, ...]]:
    """``files`` without the bundles among them; and what these have, if the key that is believed signed them.

    ``signed_by`` is a file with that key, by default the owner's own. No key is read if there is no bundle.

    Raises:
        SignatureError: another key signed one.
        FormatError: one is malformed.
        UsageError, ConfigError: the key cannot be read.
    """
    bundles = {name: data for name, data in {**files.named, **files.found}.items() if is_bundle(data)}
    if not bundles:
        return files, ()
    key = verifying_key(signed_by, None)
    sources = [KeptSource(name, decode_bundle(data).entries(key.signed)) for name, data in bundles.items()]
    return CollateralFiles(_without(files.named, bundles), _without(files.found, bundles)), tuple(sources)


def _without(files: dict[str, bytes], taken: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if name not in taken}
