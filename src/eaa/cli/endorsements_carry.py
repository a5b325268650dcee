"""``shelter endorsements export`` and ``import``: bundles signed by the owner; Trustee's offline store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from eaa.cli.endorsements_result import Result
from eaa.cli.files import load_input
from eaa.cli.reference_store import store_folder
from eaa.endorsements.subject import VekSubject
from eaa.errors import EAAError, EndorsementNotFound, UsageError
from eaa.provider.cache import EndorsementCache
from eaa.provider.expiry import Expiry
from eaa.provider.files import replace_file
from eaa.provider.kds_store import store_vcek
from eaa.provider.kept import Kept
from eaa.provider.signed_bundle import decode_bundle, encode_bundle
from eaa.storage.owner_key import (
    OwnerKey,
    VerifyingKey,
    create_owner_key,
    load_owner_key,
    parse_verifying_key,
)
from eaa.storage.private_folder import PrivateFolder
from eaa.verify.fetched import TrustRoot, require_supersedes, verify_fetched

__all__ = ["export_bundle", "import_bundles", "verifying_key"]


def export_bundle(
    found: Sequence[Expiry], path: Path, *, store: str | None, public_key: str | None, vcek_store: str | None
) -> Iterator[str]:
    """Write the bundle; yields a line for each thing that was written.

    Raises:
        EndorsementNotFound: there is nothing, or something that was asked for is missing or not genuine.
        StorageError, ConfigError: a file cannot be written, or the key not be read.
    """
    wrong = [item for item in found if item.problem]
    if wrong:
        text = "; ".join(f"{item.subject.key} {item.problem}" for item in wrong)
        raise EndorsementNotFound(f"nothing is exported: {text}", detail="export")
    kept = [item.kept for item in found if item.kept is not None]
    if not kept:
        raise EndorsementNotFound("nothing is exported: the cache is empty", detail="export")
    key = _owner_key(store)
    replace_file(path, encode_bundle(kept, key_id=key.key_id, sign=key.sign))
    yield f"{path}: {len(kept)} endorsements, signed by {key.key_id}"
    if public_key is not None:
        replace_file(Path(public_key), key.public_pem)
        yield f"{public_key}: the key that verifies it"
    if vcek_store is not None:
        for item in kept:
            if isinstance(item.subject, VekSubject) and item.subject.hwid is not None:
                yield str(store_vcek(Path(vcek_store), item.subject, item.fetched.body))


def import_bundles(
    bundles: Sequence[tuple[str, bytes]],
    cache: EndorsementCache,
    *,
    signed_by: str | None,
    store: str | None,
    trust_anchors: Sequence[TrustRoot],
    now: datetime,
    allow_rollback: bool,
) -> list[Result]:
    """Take over what is genuine, valid now and no rollback; what became of each.

    Raises:
        SignatureError: a bundle is not signed by the key that is believed; then nothing is taken from any.
        FormatError: a bundle is malformed.
        UsageError, ConfigError: the key cannot be read.
    """
    key = verifying_key(signed_by, store)
    entries = [item for _, data in bundles for item in decode_bundle(data).entries(key.signed)]
    return [_import(item, cache, trust_anchors, now, allow_rollback) for item in entries]


def _import(
    item: Kept, cache: EndorsementCache, anchors: Sequence[TrustRoot], now: datetime, allow_rollback: bool
) -> Result:
    try:
        genuine = verify_fetched(item.subject, item.fetched, trust_anchors=anchors, crls=(), now=now)

        def accept(old: Kept | None) -> None:
            if old is None or allow_rollback:
                return
            try:
                before = verify_fetched(
                    old.subject, old.fetched, trust_anchors=anchors, crls=(), now=old.fetched_at
                )
            except EAAError:
                return  # what is not genuine is in nobody's way
            require_supersedes(genuine, before)

        cache.store(item, accept=accept)
    except EAAError as error:
        return Result(item.subject.key, item.source, None, error)
    return Result(item.subject.key, item.source, genuine.expires, None)


def _owner_key(store: str | None) -> OwnerKey:
    folder = PrivateFolder(store_folder(store))
    key = load_owner_key(folder)
    if key is not None:
        return key
    with folder.locked():
        return load_owner_key(folder) or create_owner_key(folder)


def verifying_key(signed_by: str | None, store: str | None) -> VerifyingKey:
    """The public key in the file ``signed_by``, else that of the owner's key in ``store``.

    Raises:
        UsageError, ConfigError: there is none, or it cannot be read.
    """
    if signed_by is not None:
        return parse_verifying_key(load_input(signed_by), file=signed_by)
    key = load_owner_key(PrivateFolder(store_folder(store)))
    if key is None:
        raise UsageError(
            "whose signature is believed? Name the key with --signed-by; there is no owner's key here",
            detail="signed_by",
        )
    return key
