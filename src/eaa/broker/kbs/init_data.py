"""Init-data: what the owner hands to a guest at its start, bound to the evidence [COCO-INITDATA].

A TOML text with ``version``, ``algorithm`` and ``[data]``, names to texts. The digest is over the whole text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eaa.broker.kbs.hashes import HashAlgorithm
from eaa.broker.kbs.init_data_claims import read_claims, read_toml
from eaa.broker.kbs.tees import Tee
from eaa.codec.members import bad_member, object_at, text_at
from eaa.errors import UnsupportedError, UsageError

__all__ = ["MAX_INIT_DATA_BYTES", "InitData", "expected_register", "parse_init_data"]

#: The largest seen, with the policy of a pod, has 61 KiB.
MAX_INIT_DATA_BYTES = 512 * 1024
MAX_HEAD_CHARS = 4096
VERSION = "0.1.0"
_WHAT = "init-data"

_TABLE = re.compile(r"^[ \t]*\[", re.MULTILINE)

#: MRCONFIGID, CONFIGID, HOST_DATA.
_REGISTER_BYTES: Mapping[Tee, int] = {Tee.TDX: 48, Tee.SGX: 64, Tee.SNP: 32}
_DIGEST_BYTES = frozenset({32, 48, 64})


@dataclass(frozen=True, slots=True)
class InitData:
    """Init-data whose digest the evidence does or does not hold. ``text`` is all of it."""

    algorithm: HashAlgorithm
    digest: bytes
    text: str = field(repr=False)

    @property
    def claims(self) -> dict[str, Any]:
        """What policies see of ``[data]``: :func:`eaa.broker.kbs.init_data_claims.read_claims`.

        Hostile text takes most of a second: read them once the evidence is known to hold the digest.

        Raises:
            FormatError: the text is not TOML, or ``[data]`` not of texts.
        """
        data = object_at(_require_toml(self.text), "data", _WHAT)
        return read_claims({key: text_at(data, key, _WHAT) for key in data})


def parse_init_data(text: str) -> InitData:
    """The init-data in ``text``, of at most 512 KiB in UTF-8; of which only what precedes ``[data]`` is read.

    Raises:
        FormatError: ``version`` and ``algorithm`` do not precede all tables, in the first 4096 characters.
        UnsupportedError: ``unsupported.init_data_version`` or ``unsupported.init_data_algorithm``.
    """
    raw = _bounded(text)
    head = _TABLE.split(text, maxsplit=1)[0]
    if len(head) > MAX_HEAD_CHARS:
        raise bad_member(_WHAT, "TOML", f"no table in the first {MAX_HEAD_CHARS} characters", "too_large")
    members = _require_toml(head)
    if (version := text_at(members, "version", _WHAT)) != VERSION:
        raise UnsupportedError(
            f"init-data of version {version[:32]!a}, expected {VERSION}", detail="init_data_version"
        )
    name = text_at(members, "algorithm", _WHAT)
    if (algorithm := HashAlgorithm.named(name)) is None:
        raise UnsupportedError(
            f"init-data with {name[:32]!a}, expected {', '.join(HashAlgorithm)}", detail="init_data_algorithm"
        )
    return InitData(algorithm, algorithm.digest(raw), text)


def expected_register(tee: Tee, digest: bytes) -> bytes:
    """What the register of ``tee`` holds that is started with init-data of ``digest``.

    MRCONFIGID of TDX has 48 bytes, CONFIGID of SGX 64, HOST_DATA of SEV-SNP 32: zeros follow a digest that is
    shorter, and of one that is longer the first bytes are held [COCO-INITDATA Integrity Binding].

    Raises:
        UsageError: a digest that has not 32, 48 or 64 bytes.
        UnsupportedError: ``unsupported.init_data``: ``tee`` has no such register, or it is not known here.
    """
    if len(digest) not in _DIGEST_BYTES:
        raise UsageError(f"a digest has 32, 48 or 64 bytes, not {len(digest)}")
    if tee not in _REGISTER_BYTES:
        raise UnsupportedError(f"init-data of {tee} cannot be verified", detail="init_data", tee=tee.value)
    size = _REGISTER_BYTES[tee]
    return digest[:size].ljust(size, b"\x00")


def _bounded(text: str) -> bytes:
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        raise bad_member(_WHAT, "body", "not Unicode", "not_toml") from None
    if len(raw) > MAX_INIT_DATA_BYTES:
        raise bad_member(_WHAT, "body", f"{len(raw)} bytes exceed {MAX_INIT_DATA_BYTES}", "too_large")
    return raw


def _require_toml(text: str) -> dict[str, Any]:
    if (members := read_toml(text)) is None:
        raise bad_member(_WHAT, "TOML", "not TOML, or nested too deeply", "not_toml")
    return members
