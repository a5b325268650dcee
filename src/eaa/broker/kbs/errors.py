"""Errors as KBS clients read them: ``{"type", "detail"}`` [COCO-KBS Error]. The status is :data:`OUTCOMES`'.

A client starts over at 401, so that only a session or a token that does not hold is answered so. At 404
it stops and says that there is no such resource; at any other status it stops.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from eaa.broker.kbs.versions import accepted_versions
from eaa.errors import (
    AccessDenied,
    AppraisalDenied,
    CredentialError,
    EAAError,
    FormatError,
    LimitExceeded,
    PolicyError,
    ProviderError,
    ResourceNotFound,
    SessionError,
    UnsupportedError,
    VerificationError,
    outcome_of,
)

__all__ = ["TYPE_PREFIX", "error_response"]

TYPE_PREFIX = "https://github.com/confidential-containers/kbs/errors/"

#: Variants that Trustee has, by code and else by class; the first that fits.
_BY_CODE: Mapping[str, str] = {
    "resource_not_found.plugin": "PluginNotFound",
    "session.token": "TokenVerifierError",
    "unsupported.rsa1_5": "JweError",
    "unsupported.tee_key": "JweError",
}
_BY_CLASS: tuple[tuple[type[EAAError], str], ...] = (
    (SessionError, "TokenNotFound"),
    (CredentialError, "AdminAuthAccess"),
    (AccessDenied, "PolicyDeny"),
    (ResourceNotFound, "PluginInternalError"),
    (PolicyError, "PolicyEngineError"),
    (VerificationError, "AttestationError"),
    (AppraisalDenied, "AttestationError"),
    (ProviderError, "AttestationError"),
    (UnsupportedError, "AttestationError"),
    (FormatError, "SerdeError"),
    (LimitExceeded, "HTTPFailed"),
)
_OTHERWISE = "PluginInternalError"

#: Where the class's own text would mislead a guest.
_PUBLIC: Mapping[str, str] = {
    "access_denied.small_token": "a small token fetches nothing: use the session, or a whole token",
    "unsupported.protocol_version": f"the protocol version is none of {accepted_versions()}",
    "unsupported.hash_algorithm": "none of the hash algorithms offered is supported",
    "unsupported.init_data": "init-data of this TEE cannot be verified",
    "unsupported.init_data_algorithm": "init-data with this algorithm is not supported",
    "unsupported.init_data_format": "init-data in this format is not supported",
    "unsupported.init_data_version": "init-data of this version is not supported",
    "unsupported.rsa1_5": "RSA1_5 is not allowed",
    "unsupported.tee_key": "the TEE public key is of a kind that is not supported",
    "unsupported.policy_id": "there is no such attestation policy",
    "policy.unknown": "there is no such attestation policy",
    "resource_not_found.plugin": "there is no such plugin",
}


def error_response(error: EAAError, decision_id: str) -> tuple[int, bytes]:
    """Status and JSON body for ``error``: what a guest may know, and the id of the rest.

    A token that does not hold must come here as ``SessionError`` with the detail ``token``: the errors of
    its verification are those of evidence too, where 401 would be wrong.
    """
    text = _PUBLIC.get(
        error.code, "the request is malformed" if isinstance(error, FormatError) else error.public
    )
    detail = f"{text} (code {error.code}, id {decision_id})"
    return _status(error), orjson.dumps({"type": TYPE_PREFIX + _variant(error), "detail": detail})


def _status(error: EAAError) -> int:
    if error.code == "limit.size":
        return 413
    return outcome_of(error).http_status


def _variant(error: EAAError) -> str:
    if isinstance(error, FormatError) and error.what == "resource path":
        return "InvalidRequestPath"
    if error.code in _BY_CODE:
        return _BY_CODE[error.code]
    return next((variant for cls, variant in _BY_CLASS if isinstance(error, cls)), _OTHERWISE)
