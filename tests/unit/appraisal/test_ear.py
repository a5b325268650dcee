"""Claims of an attestation result."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from eaa.appraisal.ear import EarVerifier, Submodule, ear_claims, small_claims
from eaa.appraisal.trust_vector import TrustVector
from eaa.errors import UsageError

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
EVIDENCE = {
    "tdx": {"tcb_status": "UpToDate"},
    "runtime_data_claims": {"tee-pubkey": {"kty": "EC"}, "nonce": "n"},
}
CPU = Submodule(
    "cpu0", TrustVector(hardware=2, executables=33), "default", EVIDENCE, {"ear.trustee.identifiers": 1}
)


def _claims(*submodules: Submodule, **changes: Any) -> dict[str, Any]:
    return ear_claims(
        submodules or (CPU,),
        **{
            "issuer": "verdictd",
            "verifier": EarVerifier("EAA", "1"),
            "token_id": "01",
            "issued_at": NOW,
            "expires_at": NOW + timedelta(minutes=5),
            "audience": "",
            "nonce": "",
            **changes,
        },
    )


def test_the_whole_shape() -> None:
    assert _claims() == {
        "eat_profile": "tag:github.com,2024:confidential-containers/Trustee",
        "iss": "verdictd",
        "iat": 1795262400,
        "nbf": 1795262400,
        "exp": 1795262700,
        "jti": "01",
        "ear.verifier-id": {"developer": "EAA", "build": "1"},
        "submods": {
            "cpu0": {
                "ear.status": "warning",
                "ear.trustworthiness-vector": {
                    "instance-identity": 0, "configuration": 0, "executables": 33, "file-system": 0,
                    "hardware": 2, "runtime-opaque": 0, "storage-opaque": 0, "sourced-data": 0,
                },
                "ear.appraisal-policy-id": "default",
                "ear.veraison.annotated-evidence": EVIDENCE,
                "ear.trustee.identifiers": 1,
            }
        },
    }  # fmt: skip


def test_audience_and_nonce_where_asked() -> None:
    claims = _claims(audience="db", nonce="abc")
    assert (claims["aud"], claims["eat_nonce"]) == ("db", "abc")


def test_an_extension_cannot_say_it_is_affirming() -> None:
    liar = Submodule("cpu0", TrustVector(hardware=97), "default", {}, {"ear.status": "affirming"})
    assert _claims(liar)["submods"]["cpu0"]["ear.status"] == "contraindicated"


def test_small_keeps_the_result_and_the_key() -> None:
    small = small_claims(
        _claims(CPU, Submodule("gpu0", TrustVector(), "default", {"runtime_data_claims": None}))
    )
    assert small["submods"]["cpu0"] == {
        **CPU.to_dict(),
        "ear.veraison.annotated-evidence": {"runtime_data_claims": {"tee-pubkey": {"kty": "EC"}}},
    }
    assert small["submods"]["gpu0"]["ear.veraison.annotated-evidence"] == {"runtime_data_claims": {}}
    assert small["exp"] == 1795262700


@pytest.mark.parametrize("submodules", [(), (CPU, CPU)])
def test_submodules_have_different_names(submodules: tuple[Submodule, ...]) -> None:
    with pytest.raises(UsageError, match="different names"):
        ear_claims(
            submodules, issuer="i", verifier=EarVerifier("d", "b"), token_id="1", issued_at=NOW,
            expires_at=NOW + timedelta(minutes=5), audience="", nonce="",
        )  # fmt: skip


def test_it_ends_after_it_begins() -> None:
    with pytest.raises(UsageError, match="after"):
        _claims(expires_at=NOW)
