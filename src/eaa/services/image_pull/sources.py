"""Where what decides about an image comes from: files, and resources of the guest."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from eaa.broker.names import ResourcePath
from eaa.errors import ConfigError, FormatError
from eaa.oci.key_id import parse_key_id
from eaa.oci.signatures.lookaside import Lookaside, parse_lookaside
from eaa.oci.signatures.policy import Policy
from eaa.oci.signatures.policy_json import parse_policy
from eaa.services.attestation_agent.secrets import GuestSecrets
from eaa.transport.registry.auth_file import ANONYMOUS, AuthFile, parse_auth_file

__all__ = ["Sources"]

_MAX_BYTES = 4 * 1024 * 1024
_RESOURCE = "kbs://"


@dataclass(frozen=True, slots=True)
class Sources:
    """Each is the path of a file or ``kbs:///repository/type/tag``.

    Attributes:
        secrets: what resources are asked from.
        policy: required; a pull without a policy is one with a policy that accepts anything.
        lookaside: where simple signatures are; empty: nowhere.
        auth: logins; empty: none.
        proven: whether resources can only come from the broker that is meant. Otherwise no resource decides.
    """

    secrets: GuestSecrets
    policy: str
    lookaside: str = ""
    auth: str = ""
    proven: bool = False

    async def load(self, where: str) -> bytes:
        """The content at ``where``, of at most 4 MiB.

        Raises:
            ConfigError: ``config.image_file``: it cannot be read; ``config.unproven_broker``: a resource, and
                whoever is on the way to the broker could give another.
            EAAError: the resource is not to be had.
        """
        if where.startswith(_RESOURCE):
            if not self.proven:
                raise ConfigError(
                    f"{where}: whoever is on the way to a broker over http://, or one that nobody verifies,"
                    " can answer in its place, and so decide which image runs: name the broker by https:// or"
                    " eaa_kbc with a verifier, or give a file",
                    detail="unproven_broker", key="aa_kbc_params",
                )  # fmt: skip
            path = parse_key_id(where).resource_path
            if not isinstance(path, ResourcePath):  # a plain name has no scheme
                raise FormatError("expected kbs:///repository/type/tag", what="resource", field="URI")
            return await self.secrets.resource(path)
        return await asyncio.to_thread(_read, Path(where.removeprefix("file://")))

    async def load_policy(self) -> Policy:
        """The image policy; :class:`~eaa.errors.FormatError` if it is none, or as :meth:`load`."""
        return parse_policy(await self.load(self.policy))

    async def load_lookaside(self) -> Lookaside:
        """The stores of simple signatures.

        Raises:
            ConfigError: ``config.image_signature_store``: there is none to look in, and the policy needs one.
        """
        if not self.lookaside:
            raise ConfigError(
                "the image policy has signedBy: say with --sigstore where its signatures are",
                detail="image_signature_store", key="sigstore",
            )  # fmt: skip
        return parse_lookaside(_yaml(await self.load(self.lookaside), self.lookaside))

    async def load_auth(self) -> AuthFile:
        """The logins."""
        return parse_auth_file(await self.load(self.auth)) if self.auth else ANONYMOUS


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", detail="image_file", file=str(path)) from None
    if len(data) > _MAX_BYTES:
        raise ConfigError(f"{path}: more than {_MAX_BYTES} bytes", detail="image_file", file=str(path))
    return data


def _yaml(data: bytes, where: str) -> Any:
    """The document in ``data``, plain values only, no key twice."""
    try:
        yaml: Any = import_module("yaml")
    except ImportError:
        raise ConfigError(
            "the signature store's configuration is YAML: install eaa[attestation-agent]",
            detail="missing_extra",
        ) from None

    class Strict(yaml.SafeLoader):  # type: ignore[misc]  # an optional library, imported here
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            if len({str(key) for key in keys}) != len(keys):
                raise yaml.YAMLError("a key is given twice")
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(data, Strict)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        message = str(error).replace("\n", " ")[:200]
        raise FormatError(message, what=where, field="YAML", detail="signature_store") from None
