"""The KBS protocol as a client written from its document alone speaks it: every version, key and answer."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest

from tests.fakes.kbs_client import KEY_KINDS, KbsClientError, claims_of
from tests.service.verdictds import Hardware, Running, running

HARDWARE = Hardware()
TD, ENCLAVE = HARDWARE.td.collect, HARDWARE.enclave.collect
PATH, SECRET = "default/key/1", b"\x00the secret\xff" * 7

#: What guests of each version send.
KEYS_OF = {
    "0.1.0": ("RSA1_5",),
    "0.1.1": ("RSA1_5",),
    "0.2.0": ("ECDH-ES+A256KW-P256", "RSA-OAEP-256", "RSA1_5"),
    "0.4.0": KEY_KINDS,
}


@pytest.fixture(scope="module")
def verdictd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    state = tmp_path_factory.mktemp("verdictd")
    with running(state, HARDWARE.source(), verification={"allow_rsa1_5": True}) as served:
        served.trust(HARDWARE)
        served.put_resource(PATH, SECRET)
        yield served


@pytest.mark.parametrize(
    ("version", "kind"), [(version, kind) for version, kinds in KEYS_OF.items() for kind in kinds]
)
def test_a_guest_gets_its_secret(verdictd: Running, version: str, kind: str) -> None:
    guest = verdictd.guest(TD, version=version, key_kind=kind)
    guest.handshake()
    assert guest.resource(PATH) == SECRET


def test_an_enclave_too(verdictd: Running) -> None:
    guest = verdictd.guest(ENCLAVE, "sgx")
    assert claims_of(guest.handshake())["submods"]["cpu0"]["ear.status"] == "affirming"
    assert guest.resource(PATH) == SECRET


def test_report_data_as_the_first_guests_hash_it(verdictd: Running) -> None:
    guest = verdictd.guest(TD, version="0.1.0", key_kind="RSA1_5", concatenated=True)
    guest.handshake()
    assert guest.resource(PATH) == SECRET


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_the_hash_that_the_guest_has(verdictd: Running, algorithm: str) -> None:
    guest = verdictd.guest(TD, hash_algorithms=[algorithm])
    guest.handshake()
    assert guest.resource(PATH) == SECRET


def test_a_passport_is_enough(verdictd: Running) -> None:
    guest = verdictd.guest(TD)
    token = guest.handshake()
    assert guest.resource(PATH, token=token) == SECRET


def test_composite_evidence(verdictd: Running) -> None:
    """A TD that brings an enclave on the same platform: one more submodule, bound to the same challenge."""

    def enclave(digest: bytes) -> dict[str, object]:

        return {"sgx": {"quote": base64.b64encode(ENCLAVE(digest.ljust(64, b"\x00"))).decode()}}

    guest = verdictd.guest(TD, additional=enclave)
    submodules = claims_of(guest.handshake())["submods"]
    assert {name: item["ear.status"] for name, item in submodules.items()} == {
        "cpu0": "affirming",
        "cpu1": "affirming",
    }
    assert guest.resource(PATH) == SECRET


def test_init_data_is_what_the_hardware_says(tmp_path: Path) -> None:

    text = 'version = "0.1.0"\nalgorithm = "sha384"\n[data]\n"aa.toml" = "x = 1"\n'
    own = Hardware()
    own.td.report = own.td.report.replace(mr_config_id=hashlib.sha384(text.encode()).digest())
    with running(tmp_path, own.source()) as served:
        guest = served.guest(own.td.collect, init_data=text)
        seen = claims_of(guest.handshake())["submods"]["cpu0"]["ear.veraison.annotated-evidence"]
        assert seen["init_data_claims"] == {"aa.toml": {"x": 1}}
        other = served.guest(own.td.collect, init_data=text.replace("x = 1", "x = 2"))
        with pytest.raises(KbsClientError) as refused:
            other.handshake()
        assert (refused.value.status, refused.value.variant) == (403, "AttestationError")
        assert "binding.config_id" in refused.value.detail


def test_tokens_say_what_was_asked(verdictd: Running) -> None:
    guest = verdictd.guest(TD)
    body = guest.guest.attestation(guest.auth())
    answer = guest.http.post("/kbs/v0/attest?audience=db&nonce=abc&token=small", json=body)
    token = answer.json()["token"]
    claims = claims_of(token)
    assert (claims["aud"], claims["eat_nonce"]) == ("db", "abc")
    assert "tdx" not in claims["submods"]["cpu0"]["ear.veraison.annotated-evidence"]
    whole = verdictd.guest(TD).handshake()
    assert len(token) < len(whole) / 2
    assert guest.resource(PATH) == SECRET


def test_the_policy_that_the_guest_asks_for(verdictd: Running) -> None:
    strict = 'package policy\nimport rego.v1\ntrust_claims := {"executables": 33, "hardware": 97}\n'
    verdictd.put_policy(strict, "strict_cpu", attestation=True)
    guest = verdictd.guest(TD, parameters={"id": "strict"})
    claims = claims_of(guest.handshake())["submods"]["cpu0"]
    assert (claims["ear.appraisal-policy-id"], claims["ear.status"]) == ("strict", "contraindicated")
    with pytest.raises(KbsClientError) as refused:
        guest.resource(PATH)
    assert refused.value.status == 403


def test_a_policy_that_is_not_there(verdictd: Running) -> None:
    with pytest.raises(KbsClientError) as refused:
        verdictd.guest(TD, parameters={"id": "nosuch"}).auth()
    assert refused.value.status == 422
    assert "unsupported.policy_id" in refused.value.detail


@pytest.mark.parametrize("version", ["0.1.2", "0.3.0", "0.4.1", "1.0.0", ""])
def test_other_versions_are_refused_with_those_that_are_spoken(verdictd: Running, version: str) -> None:
    with pytest.raises(KbsClientError) as refused:
        verdictd.guest(TD, version=version).auth()
    assert refused.value.status == 422
    assert "0.1.0, 0.1.1, 0.2.0, 0.4.0" in refused.value.detail


def test_every_answer_that_is_not_200_is_what_clients_parse(verdictd: Running) -> None:
    attested = verdictd.guest(TD)
    attested.handshake()
    cases = [
        (verdictd.http().get(f"/kbs/v0/resource/{PATH}"), 401, "TokenNotFound"),
        (attested.http.get("/kbs/v0/resource/default/key/none"), 404, "PluginInternalError"),
        (attested.http.get("/kbs/v0/nosuch/x"), 404, "PluginNotFound"),
        (attested.http.get("/kbs/v0/resource/a/b"), 400, "InvalidRequestPath"),
        (attested.http.put("/kbs/v0/resource/a/b/c"), 404, "PluginNotFound"),
        (verdictd.http().post("/kbs/v0/auth", content=b"{"), 400, "SerdeError"),
        (verdictd.http().post("/kbs/v0/attest", content=b"{}"), 401, "TokenNotFound"),
    ]
    for answer, status, variant in cases:
        assert answer.status_code == status, (answer.request.url, answer.text)
        document = json.loads(answer.content)
        assert document["type"] == f"https://github.com/confidential-containers/kbs/errors/{variant}"
        assert "code " in document["detail"]
        assert "id " in document["detail"]


def test_the_key_set_verifies_the_token(verdictd: Running) -> None:

    token = verdictd.guest(TD).handshake()
    keys = jwt.PyJWKSet.from_dict(verdictd.http().get("/.well-known/jwks.json").json())
    kid = jwt.get_unverified_header(token)["kid"]
    claims = jwt.decode(token, keys[kid].key, algorithms=["ES256"], issuer="verdictd")
    assert claims["submods"]["cpu0"]["ear.status"] == "affirming"
