from __future__ import annotations

import json
from typing import Any

import pytest

from eaa.broker.kbs.errors import TYPE_PREFIX, error_response
from eaa.broker.kbs.versions import parse_version
from eaa.broker.names import ResourcePath
from eaa.errors import (
    OUTCOMES,
    AccessDenied,
    AppraisalDenied,
    BindingError,
    CredentialError,
    EAAError,
    EndorsementNotFound,
    EndorsementUnavailable,
    FormatError,
    InternalError,
    LimitExceeded,
    PolicyError,
    ResourceNotFound,
    SessionError,
    SignatureError,
    StorageError,
    UnsupportedError,
)

ID = "01JTESTTESTTESTTESTTESTTES"
#: [COCO-KBS Error], as Trustee has them.
VARIANTS = {
    "AdminAuthInitialization", "AdminAuthAccess", "AttestationError", "HTTPFailed", "HTTPSFailed",
    "InvalidRequestPath", "JweError", "PluginManagerInitialization", "PluginNotFound", "PluginInternalError",
    "PolicyDeny", "ParsePolicyError", "PolicyEngineError", "RvpsError", "SerdeError",
    "StorageBackendInitialization", "TokenNotFound", "TokenVerifierError", "PrometheusError",
}  # fmt: skip


def malformed(what: str, detail: str = "bad_value") -> FormatError:
    return FormatError("SECRET", what=what, field="x", detail=detail)


def instance(cls: type[EAAError]) -> EAAError:
    extra: dict[str, Any] = {}
    if issubclass(cls, FormatError):
        extra = {"what": "thing", "field": "field"}
    if issubclass(cls, AppraisalDenied):
        extra = {"result": None}
    return cls("SECRET", **extra)


@pytest.mark.parametrize(
    ("error", "status", "variant", "text"),
    [
        (SessionError("SECRET"), 401, "TokenNotFound", "the session is missing or has expired (code session"),
        (SessionError("SECRET", detail="token"), 401, "TokenVerifierError", "(code session.token"),
        (CredentialError("SECRET"), 401, "AdminAuthAccess", "the credential"),
        (
            AccessDenied("SECRET"),
            403,
            "PolicyDeny",
            "the policy does not grant this resource (code access_denied",
        ),
        (AppraisalDenied("SECRET", result=None), 403, "AttestationError", "(code appraisal.denied"),
        (
            SignatureError("SECRET"),
            403,
            "AttestationError",
            "the evidence could not be verified (code signature",
        ),
        (BindingError("SECRET", detail="nonce"), 403, "AttestationError", "(code binding.nonce"),
        (ResourceNotFound("SECRET"), 404, "PluginInternalError", "there is no such resource"),
        (ResourceNotFound("SECRET", detail="plugin"), 404, "PluginNotFound", "there is no such plugin"),
        (malformed("KBS request"), 400, "SerdeError", "the request is malformed (code format.bad_value"),
        (malformed("resource path"), 400, "InvalidRequestPath", "the request is malformed"),
        (
            UnsupportedError("SECRET", detail="tee"),
            422,
            "AttestationError",
            "not support (code unsupported.tee",
        ),
        (UnsupportedError("SECRET", detail="tee_key"), 422, "JweError", "the TEE public key is of a kind"),
        (UnsupportedError("SECRET", detail="rsa1_5"), 422, "JweError", "RSA1_5 is not allowed"),
        (LimitExceeded("SECRET", detail="size"), 413, "HTTPFailed", "a limit was exceeded (code limit.size"),
        (LimitExceeded("SECRET", detail="rate"), 429, "HTTPFailed", "a limit was exceeded (code limit.rate"),
        (EndorsementNotFound("SECRET"), 424, "AttestationError", "(code endorsement_not_found"),
        (EndorsementUnavailable("SECRET"), 503, "AttestationError", "(code endorsement_unavailable"),
        (PolicyError("SECRET"), 500, "PolicyEngineError", "the policy could not be evaluated"),
        (
            PolicyError("SECRET", detail="unknown"),
            500,
            "PolicyEngineError",
            "there is no such attestation policy",
        ),
        (
            UnsupportedError("SECRET", detail="policy_id"),
            422,
            "AttestationError",
            "no such attestation policy",
        ),
        (StorageError("SECRET"), 503, "PluginInternalError", "the storage did not answer"),
        (InternalError("SECRET"), 500, "PluginInternalError", "internal error"),
    ],
)
def test_response(error: EAAError, status: int, variant: str, text: str) -> None:
    came, body = error_response(error, ID)
    members = json.loads(body)
    assert (came, members["type"]) == (status, TYPE_PREFIX + variant)
    assert text in members["detail"]
    assert members["detail"].endswith(f"id {ID})")


@pytest.mark.parametrize("cls", OUTCOMES, ids=lambda cls: cls.__name__)
def test_each_error_has_a_response(cls: type[EAAError]) -> None:
    status, body = error_response(instance(cls), ID)
    members = json.loads(body)
    assert list(members) == ["type", "detail"]
    assert members["type"].removeprefix(TYPE_PREFIX) in VARIANTS
    assert 400 <= status < 600
    assert (status == 401) == issubclass(cls, SessionError | CredentialError)
    assert b"SECRET" not in body


def test_type() -> None:
    assert TYPE_PREFIX == "https://github.com/confidential-containers/kbs/errors/"


def test_guest_learns_which_versions_are_spoken() -> None:
    with pytest.raises(UnsupportedError) as raised:
        parse_version("0.3.0")
    assert b"none of 0.1.0, 0.1.1, 0.2.0, 0.4.0 (code" in error_response(raised.value, ID)[1]


@pytest.mark.parametrize("path", ["a/b", "a/../c"])
def test_paths_of_resources(path: str) -> None:
    with pytest.raises(FormatError) as raised:
        ResourcePath.parse(path)
    status, body = error_response(raised.value, ID)
    assert status == 400
    assert b"/InvalidRequestPath" in body
    assert path.encode() not in body
