from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from eaa.broker.eaa import Reply, answer, parse_request
from eaa.broker.names import ResourcePath
from eaa.errors import AccessDenied, EAAError, ResourceNotFound, StorageError

IV = b"i" * 12
KEY, OTHER_KEY = b"k" * 32, b"o" * 32
POLICY = b'{"default":[{"type":"reject"}]}'
DECISION = "01JD3M5Z8QK2V7X0000000000A"


class Guest:
    """May have what it was given; ``asked`` is what it asked for, and ``refusal`` meets the rest."""

    def __init__(self, refusal: EAAError | None = None, /, **secrets: bytes) -> None:
        self._secrets = secrets | {
            "default/security-policy/test": POLICY,
            "r/t/key": KEY,
            "r/t/g": b"\x00\xff",
        }
        self._refusal = refusal or ResourceNotFound("there is none; it says hunter2")
        self._refusal.decision = DECISION
        self.asked: list[str] = []

    async def resource(self, path: ResourcePath) -> bytes:
        return await self.key(str(path))

    async def key(self, kid: str) -> bytes:
        self.asked.append(kid)
        if kid not in self._secrets:
            raise self._refusal
        return self._secrets[kid]


def ask(guest: Guest, **members: Any) -> Reply:
    return asyncio.run(answer(parse_request(json.dumps(members).encode()), guest))


def encrypted(plaintext: bytes, key: bytes = KEY) -> str:
    return base64.b64encode(AESGCM(key).encrypt(IV, plaintext, None)).decode()


def blob(kid: str, text: str) -> dict[str, Any]:
    iv = base64.b64encode(IV).decode()
    return {"kid": kid, "encrypted_data": text, "algorithm": "AES", "key_length": 256, "iv": iv}


def failed(error: str) -> bytes:
    return json.dumps({"data": {}, "error": error, "status": "Fail"}, separators=(",", ":")).encode()


def short(error: str) -> bytes:
    return json.dumps({"error": error, "status": "Fail"}, separators=(",", ":")).encode()


def test_version() -> None:
    assert ask(Guest(), command="version") == Reply(b'{"status":"OK","version":"v1"}')


@pytest.mark.parametrize("data", ["", "é\n", '{"not":"JSON again"}'])
def test_echo_and_goodbye(data: str) -> None:
    assert ask(Guest(), command="echo", data=data) == Reply(data.encode(), disconnect=True)


def test_malformed() -> None:
    guest = Guest()
    assert ask(guest, command="Get KEK") == Reply(failed("get KEK parameters error"))
    assert guest.asked == []


@pytest.mark.parametrize("kid", ["kek", "r/t/key", "kbs:///r/t/key"])
@pytest.mark.parametrize("plaintext", [b"", b"layer key"])
def test_decrypt(kid: str, plaintext: bytes) -> None:
    text = encrypted(plaintext)
    reply = ask(Guest(kek=KEY), command="Decrypt", blobs=[blob(kid, text)])
    expected = f'{{"data":{{"{text}":"{base64.b64encode(plaintext).decode()}"}},"status":"OK"}}'
    assert reply == Reply(expected.encode())


def test_decrypt_sorts_and_asks_once_for_each_key() -> None:
    guest = Guest(one=KEY, two=OTHER_KEY)
    texts = [encrypted(bytes([number])) for number in range(6)]
    others = [encrypted(bytes([number]), OTHER_KEY) for number in range(6)]
    blobs = [
        *(blob("one", text) for text in texts),
        *(blob("two", text) for text in others),
        blob("one", texts[0]),
    ]
    reply = json.loads(ask(guest, command="Decrypt", blobs=blobs).data)
    assert list(reply["data"]) == sorted({*texts, *others})
    assert reply["data"][others[3]] == base64.b64encode(b"\x03").decode()
    assert guest.asked == ["one", "two"]


def test_nothing_to_decrypt() -> None:
    assert ask(Guest(), command="Decrypt", blobs=[]).data == b'{"data":{},"status":"OK"}'


@pytest.mark.parametrize("key", [OTHER_KEY, b"", b"k" * 16, b"k" * 24, b"k" * 33])
def test_one_blob_that_does_not_decrypt_fails_all(key: bytes) -> None:
    guest = Guest(good=KEY, bad=key)
    text = encrypted(b"layer key")
    reply = ask(guest, command="Decrypt", blobs=[blob("good", text), blob("bad", text)])
    assert reply == Reply(failed("decryption failed"))


def test_a_key_of_128_bits_is_not_taken_for_aes_256() -> None:
    text = encrypted(b"layer key", b"k" * 16)
    assert ask(Guest(kek=b"k" * 16), command="Decrypt", blobs=[blob("kek", text)]).data == failed(
        "decryption failed"
    )


@pytest.mark.parametrize("position", [0, 8, 24])
def test_every_byte_of_a_blob_counts(position: int) -> None:
    changed = bytearray(base64.b64decode(encrypted(b"layer key")))
    changed[position] ^= 1
    blobs = [blob("kek", base64.b64encode(changed).decode())]
    assert ask(Guest(kek=KEY), command="Decrypt", blobs=blobs).data == failed("decryption failed")


def test_get_kek() -> None:
    reply = ask(Guest(b=KEY, a=b"any bytes"), command="Get KEK", kids=["b", "a", "kbs:///r/t/key", "b"])
    key, other = base64.b64encode(KEY).decode(), base64.b64encode(b"any bytes").decode()
    assert (
        reply.data
        == f'{{"data":{{"a":"{other}","b":"{key}","kbs:///r/t/key":"{key}"}},"status":"OK"}}'.encode()
    )


def test_a_key_that_is_not_there() -> None:
    why = f"(resource_not_found, decision {DECISION})"
    blobs = [blob("kek", encrypted(b"x")), blob("none", encrypted(b"y"))]
    reply = ask(Guest(kek=KEY), command="Decrypt", blobs=blobs)
    assert reply.data == failed(f'kid: "none"\'s key not found {why}')
    reply = ask(Guest(kek=KEY), command="Get KEK", kids=["kek", "none"])
    assert reply.data == failed(f"kid: none's key not found {why}")


def test_a_key_that_the_policy_does_not_grant() -> None:
    refusal = AccessDenied("rule 7 expected hunter2", detail="policy")
    error = f"the policy does not grant this resource (access_denied.policy, decision {DECISION})"
    assert ask(Guest(refusal), command="Get KEK", kids=["r/t/none"]).data == failed(f"kid: r/t/none: {error}")
    reply = ask(Guest(refusal), command="Decrypt", blobs=[blob("none", encrypted(b"x"))])
    assert reply.data == failed(f'kid: "none": {error}')


def test_a_refusal_that_is_no_decision() -> None:
    guest = Guest(StorageError("database hunter2 is away", detail="away"))
    guest._refusal.decision = ""
    reply = ask(guest, command="Get KEK", kids=["none"])
    assert reply.data == failed("kid: none: the storage did not answer (storage.away)")


@pytest.mark.parametrize("content", [b"", POLICY, bytes(range(256)) * 300])
def test_a_file_of_v1(content: bytes) -> None:
    guest = Guest(None, **{"default/credential/test": content})
    reply = ask(guest, command="Get Credential", optional={})
    assert reply == Reply(base64.b64encode(content))
    info = ask(guest, command="Get Resource Info", name="Credential")
    assert info == Reply(f'{{"data":{{"base64size":"{len(reply.data)}"}},"status":"OK"}}'.encode())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Sigstore Config", "Can't fetch sigstore.yaml file, error:"),
        ("GPG Keyring", "Can't fetch gpg keyring file, error:"),
        ("Cosign Key", "Can't fetch cosign key file, error:"),
        ("Credential", "Can't fetch cosign key file, error:"),
    ],
)
def test_a_file_of_v1_that_is_not_there(name: str, text: str) -> None:
    why = f"there is no such resource (resource_not_found, decision {DECISION})"
    reply = ask(Guest(), command=f"Get {name}")
    assert base64.b64decode(reply.data, validate=True) == short(text + why)
    info = ask(Guest(), command="Get Resource Info", name=name)
    assert info.data == short(f"Fetch {name} size failed:{why}")


def test_the_policy_of_v1() -> None:
    assert ask(Guest(), command="Get Policy").data == base64.b64encode(POLICY)


def test_a_resource() -> None:
    optional = {"resource_path": "kbs:///r/t/g"}
    assert ask(Guest(), command="Get Resource", optional=optional).data == b"AP8="
    assert (
        ask(Guest(), command="Get Resource Info", name="r/t/g").data
        == b'{"data":{"base64size":"4"},"status":"OK"}'
    )


def test_a_resource_that_the_policy_does_not_grant() -> None:
    guest = Guest(AccessDenied("rule 7 expected hunter2", detail="policy"))
    why = f"the policy does not grant this resource (access_denied.policy, decision {DECISION})"
    reply = ask(guest, command="Get Resource", optional={"resource_path": "r/t/none"})
    assert base64.b64decode(reply.data, validate=True) == short(why)
    info = ask(guest, command="Get Resource Info", name="r/t/none")
    assert info.data == short(f"Fetch r/t/none size failed:{why}")


def test_nothing_of_the_operator_s_text_reaches_the_peer() -> None:
    for refusal in (
        AccessDenied("hunter2", rule="hunter2"),
        ResourceNotFound("hunter2"),
        StorageError("hunter2"),
    ):
        for members in (
            {"command": "Get Resource", "optional": {"resource_path": "r/t/none"}},
            {"command": "Get Resource Info", "name": "r/t/none"},
            {"command": "Get Cosign Key"},
            {"command": "Get KEK", "kids": ["none"]},
            {"command": "Decrypt", "blobs": [blob("none", encrypted(b"x"))]},
        ):
            data = ask(Guest(refusal), **members).data
            assert b"hunter2" not in data
            assert members["command"] in (
                "Get KEK",
                "Decrypt",
                "Get Resource Info",
            ) or b"hunter2" not in base64.b64decode(data)
