"""The administrative routes over HTTP, as Trustee's clients and ``verdict`` ask for them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from eaa.services.verdictd.http_admin_call import MAX_BODY_BYTES
from tests.fakes.admin_server import AdminServer

ALLOW = "package policy\ndefault allow = false\nallow { input.good == true }\n"
TRUST = """package policy
import rego.v1
default executables := 33
executables := 3 if input.x in query_reference_value("xs")
trust_claims := {"executables": executables}
"""
PREFIX = "https://github.com/confidential-containers/kbs/errors/"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdminServer]:
    with AdminServer(tmp_path_factory.mktemp("state") / "admin") as running:
        yield running


@pytest.fixture
def client(server: AdminServer) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {server.token()}"}
    with httpx.Client(base_url=server.url, headers=headers, trust_env=False) as made:
        yield made


def as_role(server: AdminServer, client: httpx.Client, role: str) -> None:
    client.headers["authorization"] = f"Bearer {server.token(role)}"


def b64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def refused(answer: httpx.Response, status: int, variant: str, code: str) -> dict[str, Any]:
    body = answer.json()
    assert (answer.status_code, body["type"], body["code"]) == (status, PREFIX + variant, code), body
    assert isinstance(body["detail"], str)
    return dict(body)


# ── credentials ──

ROUTES = [
    ("POST", "/kbs/v0/attestation-policy"),
    ("GET", "/kbs/v0/attestation-policy"),
    ("GET", "/kbs/v0/attestation-policy/default_cpu"),
    ("DELETE", "/kbs/v0/attestation-policy/default_cpu"),
    ("POST", "/kbs/v0/resource-policy"),
    ("GET", "/kbs/v0/resource-policy"),
    ("GET", "/kbs/v0/resource-policy/resource/default"),
    ("DELETE", "/kbs/v0/resource-policy/resource"),
    ("POST", "/kbs/v0/reference-value"),
    ("GET", "/kbs/v0/reference-value"),
    ("GET", "/kbs/v0/reference-value/a/b"),
    ("DELETE", "/kbs/v0/reference-value/a"),
    ("GET", "/kbs/v0/resource"),
    ("POST", "/kbs/v0/resource/a/b/c"),
    ("DELETE", "/kbs/v0/resource/a/b/c"),
    ("GET", "/eaa/v1/resources"),
    ("PUT", "/eaa/v1/resources/a/b/c"),
    ("DELETE", "/eaa/v1/resources/a/b/c"),
    ("GET", "/eaa/v1/resources/a/b/c/content"),
    ("GET", "/eaa/v1/resources/a/b/c/versions"),
    ("POST", "/eaa/v1/resources/a/b/c/enable"),
    ("POST", "/eaa/v1/resources/a/b/c/disable"),
    ("GET", "/eaa/v1/keys"),
    ("POST", "/eaa/v1/keys"),
    ("PUT", "/eaa/v1/keys/k"),
    ("DELETE", "/eaa/v1/keys/k"),
    ("GET", "/eaa/v1/keys/k/material"),
    ("GET", "/eaa/v1/keys/k/versions"),
    ("POST", "/eaa/v1/keys/k/rotate"),
    ("POST", "/eaa/v1/policies/test"),
    ("GET", "/eaa/v1/policies/resource"),
    ("PUT", "/eaa/v1/policies/resource/document"),
    ("GET", "/eaa/v1/policies/resource/document"),
    ("DELETE", "/eaa/v1/policies/resource/document"),
    ("GET", "/eaa/v1/policies/resource/history"),
    ("POST", "/eaa/v1/policies/resource/rollback"),
    ("GET", "/eaa/v1/references"),
    ("PUT", "/eaa/v1/references"),
    ("POST", "/eaa/v1/references/import"),
    ("GET", "/eaa/v1/references/value"),
    ("DELETE", "/eaa/v1/references/value"),
    ("GET", "/eaa/v1/decisions"),
    ("GET", "/eaa/v1/decisions/x"),
    ("GET", "/eaa/v1/status"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_nothing_without_a_credential(
    server: AdminServer, client: httpx.Client, method: str, path: str
) -> None:
    del client.headers["authorization"]
    answer = client.request(method, path)
    assert answer.headers["www-authenticate"] == "Bearer"
    refused(answer, 401, "AdminAuthAccess", "credential.missing")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("Bearer", "missing"), ("Basic YTpi", "missing"), ("Bearer x", "malformed"),
        ("Bearer e30.e30.", "algorithm"),
    ],
)  # fmt: skip
def test_credentials_that_do_not_hold(client: httpx.Client, value: str, code: str) -> None:
    client.headers["authorization"] = value
    body = refused(client.get("/eaa/v1/status"), 401, "AdminAuthAccess", f"credential.{code}")
    assert body["detail"] == "the credential is missing or does not hold"


def test_two_credentials_are_none(server: AdminServer, client: httpx.Client) -> None:
    headers = [("authorization", f"Bearer {server.token()}")] * 2
    del client.headers["authorization"]
    refused(client.get("/eaa/v1/status", headers=headers), 401, "AdminAuthAccess", "credential.missing")


def test_a_reader_changes_nothing(server: AdminServer, client: httpx.Client) -> None:
    as_role(server, client, "reader")
    assert client.get("/eaa/v1/status").status_code == 200
    refused(client.put("/eaa/v1/resources/a/b/r", content=b"x"), 403, "AdminAuthAccess", "access_denied.role")
    refused(client.get("/eaa/v1/resources/a/b/r/content"), 403, "AdminAuthAccess", "access_denied.role")
    as_role(server, client, "admin")
    assert client.get("/eaa/v1/resources/a/b/r/versions").json() == {"versions": []}


# ── Trustee's routes ──


def test_resources_as_trustee(client: httpx.Client) -> None:
    path = "/kbs/v0/resource/trustee/key/1"
    assert client.post(path, content=b"\x00secret").status_code == 200
    assert "trustee/key/1" in client.get("/kbs/v0/resource").json()
    assert client.get("/eaa/v1/resources/trustee/key/1/content").content == b"\x00secret"
    assert client.delete(path).status_code == 200
    refused(client.delete(path), 404, "PluginInternalError", "resource_not_found.missing")


@pytest.mark.parametrize(
    "path", ["a/b", "a/b/c/d", "a/b/.hidden", "a/b/%2e%2e", "..%2f..%2fetc/b/c", "a/b/c%00"]
)
def test_paths_that_are_none(server: AdminServer, client: httpx.Client, path: str) -> None:
    before = list(server.stores.resources.versions_of)
    answer = client.post(f"/kbs/v0/resource/{path}", content=b"x")
    assert answer.status_code in (400, 404)
    assert list(server.stores.resources.versions_of) == before


def test_attestation_policies_as_trustee(client: httpx.Client) -> None:
    path = "/kbs/v0/attestation-policy"
    body = {"type": "rego", "policy_id": "trustee_cpu", "policy": b64(TRUST)}
    assert client.post(path, json=body).status_code == 200
    assert "trustee_cpu" in client.get(path).json()
    got = client.get(f"{path}/trustee_cpu").json()
    assert (got["policy"], got["version"]) == (b64(TRUST), 1)
    assert client.delete(f"{path}/trustee_cpu").status_code == 200
    refused(client.get(f"{path}/trustee_cpu"), 404, "PluginInternalError", "resource_not_found.missing")


def test_resource_policies_as_trustee(client: httpx.Client) -> None:
    path = "/kbs/v0/resource-policy"
    assert client.post(path, json={"policy": b64(ALLOW)}).status_code == 200
    assert client.post(path, json={"policy": b64(ALLOW) + "==", "policy_id": "resource/t"}).status_code == 200
    assert {"resource-policy", "resource/t"} <= set(client.get(path).json())
    assert client.get(f"{path}/resource/t").json()["policy_id"] == "resource/t"
    assert client.delete(f"{path}/resource/t").status_code == 200
    assert client.get(f"{path}/resource-policy").json()["policy"] == b64(ALLOW)
    assert client.delete(f"{path}/resource-policy").status_code == 200


@pytest.mark.parametrize(
    ("body", "variant", "code"),
    [
        ({"policy": b64("package policy\nallow {")}, "ParsePolicyError", "format.policy"),
        ({"policy": "+/+/"}, "SerdeError", "format.policy_request"),
        ({"policy": b64("x")[:1]}, "SerdeError", "format.policy_request"),
        ({"policy": base64.urlsafe_b64encode(b"\xff\xfe").decode()}, "SerdeError", "format.policy_request"),
        ({"policy": 7}, "SerdeError", "format.policy_request"),
        ({}, "SerdeError", "format.policy_request"),
        ({"policy": b64(ALLOW), "policy_id": "a/../b"}, "SerdeError", "format.name"),
        ({"policy": b64(ALLOW), "policy_id": 7}, "SerdeError", "format.policy_request"),
        ([], "SerdeError", "format.bad_value"),
    ],
)
def test_policies_that_are_refused(client: httpx.Client, body: object, variant: str, code: str) -> None:
    before = client.get("/kbs/v0/resource-policy").json()
    refused(client.post("/kbs/v0/resource-policy", json=body), 400, variant, code)
    assert client.get("/kbs/v0/resource-policy").json() == before


@pytest.mark.parametrize(
    "body", [{"type": "cel", "policy_id": "x_cpu", "policy": b64(TRUST)}, {"policy": b64(TRUST)}]
)
def test_attestation_policies_that_are_refused(client: httpx.Client, body: object) -> None:
    answer = client.post("/kbs/v0/attestation-policy", json=body)
    refused(answer, 400, "SerdeError", "format.policy_request")


def test_reference_values_as_trustee(client: httpx.Client) -> None:
    path = "/kbs/v0/reference-value"
    payload = base64.b64encode(json.dumps({"trustee": ["a"], "rvps:///v/m": 1}).encode()).decode()
    message = {"version": "0.1.0", "type": "sample", "payload": payload}
    assert client.post(path, json=message).status_code == 200
    assert {"trustee", "rvps:///v/m"} <= set(client.get(path).json())
    assert client.get(f"{path}/trustee").json() == ["a"]
    assert client.delete(f"{path}/trustee").status_code == 200
    refused(client.get(f"{path}/trustee"), 404, "PluginInternalError", "resource_not_found.missing")
    refused(
        client.post(path, json={**message, "type": "corim"}), 422, "RvpsError", "unsupported.reference_format"
    )
    refused(client.post(path, content=b"{"), 400, "SerdeError", "format.not_json")


# ── our own ──


def test_resources(client: httpx.Client) -> None:
    path = "/eaa/v1/resources/own/key/1"
    assert client.put(path, content=b"one").json()["version"] == 1
    assert client.put(path, content=b"two").json()["size"] == 3
    answer = client.get(path + "/content", params={"version": 1})
    assert (answer.content, answer.headers["cache-control"]) == (b"one", "no-store")
    assert client.post(path + "/disable", params={"version": 2}).status_code == 204
    assert client.get(path + "/content").content == b"one"
    assert [info["enabled"] for info in client.get(path + "/versions").json()["versions"]] == [False, True]
    assert client.post(path + "/enable").status_code == 204
    assert client.get(path + "/content").content == b"two"
    listed = client.get("/eaa/v1/resources", params={"prefix": "own/", "limit": 1}).json()["resources"]
    assert [(info["path"], info["version"]) for info in listed] == [("own/key/1", 2)]
    assert client.delete(path).status_code == 204
    assert client.get("/eaa/v1/resources", params={"prefix": "own/"}).json() == {"resources": []}


@pytest.mark.parametrize("value", ["-1", "x", "1.5", "99999999999", "٣"])
def test_numbers_that_are_none(client: httpx.Client, value: str) -> None:
    answer = client.get("/eaa/v1/resources", params={"limit": value})
    refused(answer, 400, "PluginInternalError", "usage.parameter")


def test_versions_that_cannot_be_stored(client: httpx.Client) -> None:
    for path in ("/eaa/v1/keys/own/material", "/eaa/v1/policies/resource/document?id=resource"):
        most = httpx.URL(path).copy_merge_params({"version": 2**31 - 1})
        refused(client.get(most), 404, "PluginInternalError", "resource_not_found.missing")
        above = httpx.URL(path).copy_merge_params({"version": 2**31})
        refused(client.get(above), 400, "PluginInternalError", "usage.parameter")
    for version in (-1, 2**31, 2**63, 1.0, True, "1"):
        tested = {"kind": "resource", "id": "resource", "version": version}
        answer = client.post("/eaa/v1/policies/test", json=tested)
        refused(answer, 400, "SerdeError", "format.bad_value")


def test_a_body_has_a_greatest_size(client: httpx.Client) -> None:
    path = "/eaa/v1/resources/own/key/big"
    for size in (1024 * 1024 + 1, MAX_BODY_BYTES + 1):
        refused(client.put(path, content=bytes(size)), 413, "PluginInternalError", "limit.size")

    def chunks() -> Iterator[bytes]:
        for _ in range(40):
            yield bytes(100_000)

    refused(client.put(path, content=chunks()), 413, "PluginInternalError", "limit.size")
    assert client.get(path + "/versions").json() == {"versions": []}


def test_keys(client: httpx.Client) -> None:
    made = client.post("/eaa/v1/keys").json()
    assert made["bits"] == 256
    assert client.post("/eaa/v1/keys", json={"kid": "own", "bits": 128}).json()["bits"] == 128
    refused(client.post("/eaa/v1/keys", json={"kid": "own"}), 400, "PluginInternalError", "usage.key_exists")
    refused(client.post("/eaa/v1/keys", json={"kid": 7}), 400, "SerdeError", "format.bad_value")
    assert client.put("/eaa/v1/keys/own", content=bytes(32)).json()["version"] == 2
    assert client.get("/eaa/v1/keys/own/material").content == bytes(32)
    assert len(client.get("/eaa/v1/keys/own/material", params={"version": 1}).content) == 16
    assert client.post("/eaa/v1/keys/own/rotate").json()["version"] == 3
    assert client.delete("/eaa/v1/keys/own", params={"version": 3}).status_code == 204
    versions = client.get("/eaa/v1/keys/own/versions").json()["versions"]
    assert [info["destroyed"] for info in versions] == [True, False, False]
    assert {"own", made["kid"]} <= {info["kid"] for info in client.get("/eaa/v1/keys").json()["keys"]}


def test_policies(client: httpx.Client) -> None:
    document, params = "/eaa/v1/policies/resource/document", {"id": "resource/own"}
    put = client.put(document, params={**params, "expected_version": 0}, content=ALLOW).json()
    assert (put["version"], put["id"]) == (1, "resource/own")
    conflict = client.put(document, params={**params, "expected_version": 0}, content=ALLOW)
    refused(conflict, 409, "PluginInternalError", "conflict.version")
    assert client.put(document, params=params, content=ALLOW + "# two\n").json()["version"] == 2
    assert client.get(document, params=params).json()["text"] == ALLOW + "# two\n"
    assert client.get(document, params={**params, "version": 1}).json()["text"] == ALLOW
    back = client.post("/eaa/v1/policies/resource/rollback", params={**params, "version": 1}).json()
    assert back["version"] == 3
    history = client.get("/eaa/v1/policies/resource/history", params=params).json()["versions"]
    assert [item["version"] for item in history] == [3, 2, 1]
    assert history[0]["sha256"] == history[2]["sha256"] != history[1]["sha256"]
    assert client.delete(document, params=params).status_code == 204
    assert "resource/own" not in {p["id"] for p in client.get("/eaa/v1/policies/resource").json()["policies"]}
    refused(client.get("/eaa/v1/policies/other"), 400, "PluginInternalError", "usage.parameter")
    refused(client.get(document), 400, "PluginInternalError", "usage.parameter")
    missing = client.post("/eaa/v1/policies/resource/rollback", params=params)
    refused(missing, 400, "PluginInternalError", "usage.parameter")
    refused(client.put(document, params=params, content=b"\xff"), 400, "ParsePolicyError", "format.policy")


def test_testing_policies(client: httpx.Client) -> None:
    test = "/eaa/v1/policies/test"
    asked = {"kind": "resource", "text": ALLOW, "input": {"good": True}, "data": {"plugin": "resource"}}
    assert client.post(test, json=asked).json()["allow"] is True
    assert client.post(test, json={**asked, "input": {}}).json()["allow"] is False
    trust = {"kind": "attestation", "text": TRUST, "input": {"x": 1}, "references": {"xs": [1, 2]}}
    good = client.post(test, json=trust).json()
    assert (good["trust_claims"], good["queries"]) == (
        {"executables": 3}, [{"name": "xs", "state": "found"}],
    )  # fmt: skip
    bad = client.post(test, json={**trust, "references": {}}).json()
    assert (bad["trust_claims"], bad["queries"]) == (
        {"executables": 33}, [{"name": "xs", "state": "missing"}],
    )  # fmt: skip
    wrongs: list[dict[str, object]] = [
        {"input": []}, {"kind": "x"}, {"text": 7}, {"references": []}, {"id": ""},
        {"text": None, "id": "", "version": "1"}, {"text": None, "id": "", "version": True},
    ]  # fmt: skip
    for wrong in wrongs:
        assert client.post(test, json={**asked, **wrong}).status_code == 400


def test_reference_values(client: httpx.Client) -> None:
    path = "/eaa/v1/references"
    body = {"values": {"own": {"a": 1}}, "expires_at": "2999-01-01T00:00:00Z"}
    (put,) = client.put(path, json=body).json()["references"]
    assert (put["value"], put["expires_at"]) == ({"a": 1}, "2999-01-01T00:00:00Z")
    assert client.get(path + "/value", params={"name": "own"}).json() == put
    assert put in client.get(path).json()["references"]
    assert client.delete(path + "/value", params={"name": "own"}).status_code == 204
    wrongs: list[dict[str, object]] = [
        {"values": []},
        {"values": {"a": 1}, "expires_at": "soon"},
        {"values": {"a": 1}, "expires_at": 7},
    ]
    for wrong in wrongs:
        refused(client.put(path, json=wrong), 400, "SerdeError", "format.bad_value")
    past = {"values": {"a": 1}, "expires_at": "2020-01-01T00:00:00Z"}
    refused(client.put(path, json=past), 400, "PluginInternalError", "usage.expiry")


def test_decisions(client: httpx.Client) -> None:
    refused(client.delete("/eaa/v1/keys/none"), 404, "PluginInternalError", "resource_not_found.missing")
    params = {"granted": "false", "kind": "administration", "limit": "1"}
    (decision,) = client.get("/eaa/v1/decisions", params=params).json()["decisions"]
    assert (decision["code"], decision["target"]) == ("resource_not_found.missing", "none")
    assert decision["subject"].startswith("ada@")
    assert client.get(f"/eaa/v1/decisions/{decision['id']}").json() == decision
    older = client.get("/eaa/v1/decisions", params={"before": decision["id"]}).json()["decisions"]
    assert decision not in older
    for wrong in ({"granted": "maybe"}, {"kind": "other"}):
        refused(client.get("/eaa/v1/decisions", params=wrong), 400, "PluginInternalError", "usage.parameter")


def test_what_breaks_inside_is_not_shown(
    server: AdminServer, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the secret is 42")

    monkeypatch.setattr(server.stores.policies, "generation", broken)
    answer = client.get("/eaa/v1/status")
    refused(answer, 500, "PluginInternalError", "internal")
    assert "42" not in answer.text


def test_a_key_pair_of_the_first_start(server: AdminServer) -> None:
    assert server.key_file.stat().st_mode & 0o777 == 0o600
