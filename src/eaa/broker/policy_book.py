"""Which policies and reference values hold, as of one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from eaa.broker.names import PathPrefix
from eaa.broker.records import Policy, PolicyKind, ReferenceValue
from eaa.errors import AccessDenied, PolicyError, StorageError

__all__ = ["DEFAULT_POLICY", "PolicyBook"]

#: Who asks for no attestation policy by name is appraised by this one.
DEFAULT_POLICY = "default"
#: How far a clock may have been set back since.
_CLOCK_STEP = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class PolicyBook:
    """What holds, and when it was read. Who finds it too old must not decide by it."""

    generation: int
    attestation: Mapping[str, Policy]
    resource: Mapping[tuple[str, ...], Policy]
    references: Mapping[str, ReferenceValue]
    read_at: datetime

    @classmethod
    def of(
        cls,
        generation: int,
        policies: Sequence[Policy],
        references: Sequence[ReferenceValue],
        *,
        read_at: datetime,
    ) -> PolicyBook:
        """The book of what the storage has."""
        return cls(
            generation,
            MappingProxyType({item.id: item for item in policies if item.kind is PolicyKind.ATTESTATION}),
            MappingProxyType(
                {
                    PathPrefix.parse(item.id).segments: item
                    for item in policies
                    if item.kind is PolicyKind.RESOURCE
                }
            ),
            MappingProxyType({item.name: item for item in references}),
            read_at,
        )

    def attestation_policy(self, name: str, tee_class: str) -> Policy:
        """The policy ``<name>_<class>``.

        Raises:
            PolicyError: ``policy.unknown``: there is none; no other takes its place.
        """
        wanted = f"{name or DEFAULT_POLICY}_{tee_class}"
        found = self.attestation.get(wanted)
        if found is None:
            raise PolicyError(f"there is no attestation policy {wanted!r}", detail="unknown", policy=wanted)
        return found

    def knows(self, name: str) -> bool:
        """Whether there is an attestation policy of this name for any class of TEE."""
        return any(key.rpartition("_")[0] == name for key in self.attestation)

    def resource_policy(self, segments: tuple[str, ...]) -> Policy:
        """The policy of the longest prefix of ``segments``, plugin first. It alone decides.

        Raises:
            AccessDenied: ``access_denied.no_policy``: none covers them.
        """
        for length in range(len(segments), -1, -1):
            found = self.resource.get(segments[:length])
            if found is not None:
                return found
        raise AccessDenied(f"no resource policy covers {'/'.join(segments)!r}", detail="no_policy")

    def require_recent(self, now: datetime, *, at_most: timedelta) -> None:
        """Refuse to decide by what may have been withdrawn since.

        Raises:
            StorageError: ``storage.policies_stale``.
        """
        if not -_CLOCK_STEP <= now - self.read_at <= at_most:
            raise StorageError(
                f"the policies were read at {self.read_at}, now is {now}: older than {at_most} are not used",
                detail="policies_stale",
            )
