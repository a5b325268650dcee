"""The whole error tree, by who is at fault.

::

    EAAError                  .code stable · .fields loggable · str() operator · .public peer
    ├── UsageError            the caller broke the contract; never caused by untrusted bytes
    ├── ConfigError           a configuration names file and key
    ├── FormatError           bytes are not what they claim: what, field, offset, specification section
    ├── UnsupportedError      bytes are what they claim, and they ask for what is not implemented
    ├── VerificationError     not genuine
    │   ├── SignatureError    a signature does not verify over the received bytes
    │   ├── ChainError        a certificate path does not lead to a trust anchor under the path rules
    │   ├── RevokedError      a certificate is listed in its issuer's revocation list
    │   ├── ValidityPeriodError  expired or not yet valid at the time asked about
    │   ├── BindingError      report data, nonce or configuration is not the expected one
    │   ├── FreshnessError    a challenge is missing, reused or too old
    │   └── EndorsementError  the endorsements do not vouch for this evidence
    ├── AppraisalDenied       raised only by require(); holds the AttestationResult
    ├── ProviderError         endorsements are not to be had; .retryable
    │   ├── EndorsementNotFound     nobody has it, or it was not given
    │   ├── EndorsementUnavailable  the provider did not answer
    │   └── EndorsementStale        what there is, is older than what is allowed
    ├── AttesterError         no device · busy · firmware status
    ├── ProtocolError
    │   ├── LocalProtocolError      we broke it
    │   └── RemoteProtocolError     they did
    ├── BrokerError
    │   ├── SessionError · ResourceNotFound · AccessDenied · StorageError
    │   ├── CredentialError       an administrator's credential is missing or does not hold
    │   ├── PolicyError           a policy could not be evaluated; nothing is granted
    │   ├── ConflictError         somebody else changed it in between
    │   └── LimitExceeded         more was asked for than is allowed, in size or in rate
    └── InternalError         a broken invariant: "please report"

Secrets and evidence bytes never reach ``str()``, ``.public`` or ``.fields``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

__all__ = [
    "OUTCOMES",
    "AccessDenied",
    "AppraisalDenied",
    "AttesterError",
    "BindingError",
    "BrokerError",
    "ChainError",
    "ConfigError",
    "ConflictError",
    "CredentialError",
    "EAAError",
    "EndorsementError",
    "EndorsementNotFound",
    "EndorsementStale",
    "EndorsementUnavailable",
    "FormatError",
    "FreshnessError",
    "InternalError",
    "LimitExceeded",
    "LocalProtocolError",
    "Outcome",
    "PolicyError",
    "ProtocolError",
    "ProviderError",
    "RemoteProtocolError",
    "ResourceNotFound",
    "RevokedError",
    "SessionError",
    "SignatureError",
    "StorageError",
    "UnsupportedError",
    "UsageError",
    "ValidityPeriodError",
    "VerificationError",
    "outcome_of",
]


class EAAError(Exception):
    """The root: everything that EAA raises on purpose.

    ``code`` is ``<family>`` or ``<family>.<detail>``, lower case, stable between releases.
    ``public`` may be shown to an untrusted peer; ``str()`` is for the operator. ``decision`` is the id under
    which a broker has recorded the refusal, empty if it has not; a peer may see it.
    """

    family: ClassVar[str] = "error"
    public: ClassVar[str] = "the request could not be served"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, /, *, detail: str = "", **fields: Any) -> None:
        super().__init__(message)
        self.code: str = f"{self.family}.{detail}" if detail else self.family
        self.decision: str = ""
        self.fields: Mapping[str, Any] = MappingProxyType(fields)


class UsageError(EAAError):
    family = "usage"
    public = "the request is not well-formed"


class ConfigError(EAAError):
    family = "config"
    public = "the service is not configured correctly"


class FormatError(EAAError):
    """Bytes are not what they claim to be.

    Args:
        message: what was expected and what came.
        what: the structure, e.g. ``"DCAP quote"``.
        field: the field inside it, e.g. ``"header.version"``.
        offset: byte offset of the field in the structure, or ``None`` where text has none.
        spec: the section that says so, e.g. ``"[DCAP-QUOTE A.3]"``.
    """

    family = "format"
    public = "the evidence or endorsement is malformed"

    def __init__(
        self,
        message: str,
        /,
        *,
        what: str,
        field: str,
        offset: int | None = None,
        spec: str = "",
        detail: str = "bad_value",
    ) -> None:
        place = f"{what}: {field}" + (f" at offset {offset}" if offset is not None else "")
        text = f"{place}: {message}" + (f" {spec}" if spec else "")
        super().__init__(text, detail=detail, what=what, field=field, offset=offset, spec=spec)
        self.what = what
        self.field = field
        self.offset = offset
        self.spec = spec


class UnsupportedError(EAAError):
    family = "unsupported"
    public = "the evidence is of a kind that this verifier does not support"


class VerificationError(EAAError):
    family = "verification"
    public = "the evidence could not be verified"


class SignatureError(VerificationError):
    family = "signature"


class ChainError(VerificationError):
    family = "chain"


class RevokedError(VerificationError):
    family = "revoked"


class ValidityPeriodError(VerificationError):
    family = "validity_period"


class BindingError(VerificationError):
    family = "binding"


class FreshnessError(VerificationError):
    family = "freshness"


class EndorsementError(VerificationError):
    family = "endorsement"


class AppraisalDenied(EAAError):
    """The evidence is genuine and not acceptable. ``result`` is the ``AttestationResult``."""

    family = "appraisal"
    public = "the attestation result does not satisfy the policy"

    def __init__(self, message: str, /, *, result: Any, detail: str = "denied", **fields: Any) -> None:
        super().__init__(message, detail=detail, **fields)
        self.result = result


class ProviderError(EAAError):
    family = "provider"
    public = "the endorsements needed are not available"


class EndorsementNotFound(ProviderError):
    family = "endorsement_not_found"


class EndorsementUnavailable(ProviderError):
    family = "endorsement_unavailable"
    retryable = True


class EndorsementStale(ProviderError):
    family = "endorsement_stale"
    retryable = True


class AttesterError(EAAError):
    family = "attester"
    public = "evidence could not be collected"


class ProtocolError(EAAError):
    family = "protocol"
    public = "the protocol was violated"


class LocalProtocolError(ProtocolError):
    family = "local_protocol"


class RemoteProtocolError(ProtocolError):
    family = "remote_protocol"


class BrokerError(EAAError):
    family = "broker"


class SessionError(BrokerError):
    family = "session"
    public = "the session is missing or has expired"


class ResourceNotFound(BrokerError):
    family = "resource_not_found"
    public = "there is no such resource"


class AccessDenied(BrokerError):
    family = "access_denied"
    public = "the policy does not grant this resource"


class StorageError(BrokerError):
    family = "storage"
    public = "the storage did not answer"
    retryable = True


class CredentialError(BrokerError):
    family = "credential"
    public = "the credential is missing or does not hold"


class PolicyError(BrokerError):
    family = "policy"
    public = "the policy could not be evaluated"


class ConflictError(BrokerError):
    family = "conflict"
    public = "it was changed by somebody else in between"


class LimitExceeded(BrokerError):
    """``limit.size`` and ``limit.rate``; the latter may be tried again later."""

    family = "limit"
    public = "a limit was exceeded"


class InternalError(EAAError):
    family = "internal"
    public = "internal error; please report it"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one kind of error leaves the process.

    ``problem`` is the last path segment of the RFC 9457 problem type; ``grpc`` is the status
    name of the gRPC status code list; ``verdict`` is the word ``shelter verify`` prints.
    """

    http_status: int
    problem: str
    grpc: str
    exit_code: int
    verdict: str


_REJECTED = Outcome(403, "not-genuine", "PERMISSION_DENIED", 10, "rejected")
_UNAVAILABLE = Outcome(503, "endorsements-unavailable", "UNAVAILABLE", 40, "unavailable")
_INTERNAL = Outcome(500, "internal", "INTERNAL", 1, "error")

#: The only place where an error class becomes a status. A test walks every leaf.
OUTCOMES: Mapping[type[EAAError], Outcome] = MappingProxyType(
    {
        UsageError: Outcome(400, "usage", "INVALID_ARGUMENT", 2, "error"),
        ConfigError: Outcome(500, "config", "FAILED_PRECONDITION", 2, "error"),
        FormatError: Outcome(400, "malformed", "INVALID_ARGUMENT", 30, "malformed"),
        UnsupportedError: Outcome(422, "unsupported", "UNIMPLEMENTED", 20, "unsupported"),
        SignatureError: _REJECTED,
        ChainError: _REJECTED,
        RevokedError: _REJECTED,
        ValidityPeriodError: _REJECTED,
        BindingError: _REJECTED,
        FreshnessError: _REJECTED,
        EndorsementError: _REJECTED,
        AppraisalDenied: Outcome(403, "not-acceptable", "PERMISSION_DENIED", 10, "rejected"),
        EndorsementNotFound: Outcome(424, "endorsements-missing", "FAILED_PRECONDITION", 40, "unavailable"),
        EndorsementUnavailable: _UNAVAILABLE,
        EndorsementStale: _UNAVAILABLE,
        AttesterError: Outcome(503, "attester", "UNAVAILABLE", 1, "error"),
        LocalProtocolError: _INTERNAL,
        RemoteProtocolError: Outcome(400, "protocol", "INVALID_ARGUMENT", 1, "error"),
        SessionError: Outcome(401, "session", "UNAUTHENTICATED", 1, "error"),
        ResourceNotFound: Outcome(404, "not-found", "NOT_FOUND", 1, "error"),
        AccessDenied: Outcome(403, "access-denied", "PERMISSION_DENIED", 10, "rejected"),
        StorageError: Outcome(503, "storage", "UNAVAILABLE", 1, "error"),
        CredentialError: Outcome(401, "credential", "UNAUTHENTICATED", 1, "error"),
        PolicyError: Outcome(500, "policy", "INTERNAL", 1, "error"),
        ConflictError: Outcome(409, "conflict", "ABORTED", 2, "error"),
        LimitExceeded: Outcome(429, "limit", "RESOURCE_EXHAUSTED", 1, "error"),
        InternalError: _INTERNAL,
    }
)


def outcome_of(error: EAAError) -> Outcome:
    """The outcome of ``error``: that of its own class, or of its nearest ancestor in the table."""
    for cls in type(error).__mro__:
        if cls in OUTCOMES:
            return OUTCOMES[cls]
    return _INTERNAL
