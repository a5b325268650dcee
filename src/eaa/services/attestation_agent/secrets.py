"""What the guest's secrets are asked from: a module that reaches a broker, or the cache before it."""

from __future__ import annotations

from typing import Protocol

from eaa.broker.names import ResourcePath
from eaa.oci.key_id import KeyId

__all__ = ["GuestSecrets", "SecretsModule"]


class GuestSecrets(Protocol):
    """Secrets of the guest that this process runs in.

    Both raise ``AccessDenied`` if the broker refuses, ``ResourceNotFound`` if it has no such, and other
    :class:`~eaa.errors.EAAError` if it is not reached, or reached and not believed.
    """

    async def resource(self, path: ResourcePath) -> bytes:
        """The content of a resource."""
        ...

    async def key(self, kid: KeyId) -> bytes:
        """The bytes of a key; whether they are as many as its use needs is the caller's to say."""
        ...


class SecretsModule(GuestSecrets, Protocol):
    """A way to a broker, in CoCo's terms a KBC."""

    @property
    def valid_seconds(self) -> float:
        """How long what was given last may be kept, infinite if the broker does not say."""
        ...

    async def token(self) -> bytes:
        """What ``GetToken`` of type ``kbs`` answers: JSON of ``token`` and ``tee_keypair``.

        Raises:
            UnsupportedError: ``unsupported.token``: this module's broker issues none.
        """
        ...

    async def close(self) -> None:
        """End its connections."""
        ...
