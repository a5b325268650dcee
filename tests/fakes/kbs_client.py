"""A guest and client of the KBS protocol, versions 0.1.0 to 0.4.0, with cryptography of its own.

:class:`Guest` makes and reads messages without transport, so that any client can drive it;
:class:`KbsClient` drives it over ``httpx``. Written from docs/reference/kbs-protocol.md; nothing of ``eaa``.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap

__all__ = ["KEY_KINDS", "VERSIONS", "Guest", "KbsClient", "KbsClientError", "TeeKey", "claims_of"]

VERSIONS = ("0.1.0", "0.1.1", "0.2.0", "0.4.0")
#: What a guest's key may be, by the names that guest components have for it.
KEY_KINDS = ("ECDH-ES+A256KW-P256", "ECDH-ES+A256KW-P521", "RSA-OAEP-256", "RSA1_5")
_FIRST_FORM = ("0.1.0", "0.1.1")
_CURVES: Mapping[str, tuple[type[ec.EllipticCurve], int]] = {
    "P-256": (ec.SECP256R1, 32),
    "P-521": (ec.SECP521R1, 66),
}
_OAEP_256 = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)

Attester = Callable[[bytes], bytes]


class KbsClientError(Exception):
    """The server answered with another status than 200."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"status {status}: {body[:300]!r}")
        self.status = status
        self.body = body

    @property
    def variant(self) -> str:
        """The last part of the error's ``type``."""
        return str(json.loads(self.body)["type"]).rpartition("/")[2]

    @property
    def detail(self) -> str:
        return str(json.loads(self.body)["detail"])


class TeeKey:
    """A private key in a guest, of one of :data:`KEY_KINDS`."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._ec: ec.EllipticCurvePrivateKey | None = None
        self._rsa: rsa.RSAPrivateKey | None = None
        if kind.startswith("ECDH"):
            self._curve = f"P-{kind[-3:]}"
            self._ec = ec.generate_private_key(_CURVES[self._curve][0]())
        else:
            self._rsa = rsa.generate_private_key(65537, 2048)

    @property
    def jwk(self) -> dict[str, str]:
        """The public half."""
        if self._ec is not None:
            point, size = self._ec.public_key().public_numbers(), _CURVES[self._curve][1]
            x, y = (_b64url(value.to_bytes(size)) for value in (point.x, point.y))
            return {"kty": "EC", "crv": self._curve, "alg": "ECDH-ES+A256KW", "x": x, "y": y}
        assert self._rsa is not None
        numbers = self._rsa.public_key().public_numbers()
        n, e = (_b64url(v.to_bytes((v.bit_length() + 7) // 8)) for v in (numbers.n, numbers.e))
        return {"kty": "RSA", "alg": self.kind, "n": n, "e": e}

    def content_key(self, header: Mapping[str, Any], encrypted: bytes) -> bytes:
        """The key that ``encrypted`` is, by the algorithm that ``header`` names."""
        match header["alg"], self._ec, self._rsa:
            case "RSA1_5", _, rsa.RSAPrivateKey() as key:
                return key.decrypt(encrypted, padding.PKCS1v15())
            case "RSA-OAEP-256", _, rsa.RSAPrivateKey() as key:
                return key.decrypt(encrypted, _OAEP_256)
            case "ECDH-ES+A256KW", ec.EllipticCurvePrivateKey() as key, _:
                return aes_key_unwrap(self._agreed(key, header["epk"]), encrypted)
            case algorithm, _, _:
                raise ValueError(f"a key of kind {self.kind} does not decrypt {algorithm}")

    def _agreed(self, key: ec.EllipticCurvePrivateKey, epk: Mapping[str, str]) -> bytes:
        if (epk["kty"], epk["crv"]) != ("EC", self._curve):
            raise ValueError(f"the ephemeral key is not on {self._curve}")
        x, y = (int.from_bytes(_unb64url(epk[axis])) for axis in ("x", "y"))
        peer = ec.EllipticCurvePublicNumbers(x, y, _CURVES[self._curve][0]()).public_key()
        return _concat_kdf(key.exchange(ec.ECDH(), peer), b"ECDH-ES+A256KW")


@dataclass(slots=True)
class Guest:
    """What runs in the TEE: ``attester`` gives a quote over the 64 bytes of report data that it is given.

    ``additional`` gives evidence of further TEEs, by name, over a digest. ``concatenated`` hashes as guest
    components v0.8 do in version 0.1.0. ``parameters`` are further ``extra-params``. ``document`` gives the
    evidence of TEEs that send no quote, over 64 bytes of report data, as JSON, in place of ``attester``.
    """

    tee: str
    attester: Attester
    key: TeeKey
    version: str = "0.4.0"
    init_data: str | None = None
    event_log: bytes | None = None
    additional: Callable[[bytes], Mapping[str, Any]] | None = None
    hash_algorithms: Sequence[str] = ("sha256", "sha384", "sha512")
    parameters: Mapping[str, Any] = field(default_factory=dict)
    concatenated: bool = False
    document: Callable[[bytes], Any] | None = None

    def request(self) -> dict[str, Any]:
        """The body of ``/auth``."""
        extra: Any = {"supported-hash-algorithms": list(self.hash_algorithms), **self.parameters}
        if self.version == "0.1.0":
            extra = ""
        return {"version": self.version, "tee": self.tee, "extra-params": extra}

    def attestation(self, challenge: Mapping[str, Any]) -> dict[str, Any]:
        """The body of ``/attest`` in answer to that of ``/auth``."""
        nonce, jwk = challenge["nonce"], self.key.jwk
        algorithm = "sha384"
        if isinstance(challenge["extra-params"], dict):
            algorithm = challenge["extra-params"].get("selected-hash-algorithm", algorithm)
        runtime_data = {"nonce": nonce, "tee-pubkey": jwk}
        digest = _digest(algorithm, _canonical(runtime_data))
        if self.version == "0.4.0":
            return self._composite(runtime_data, algorithm, digest)
        if self.concatenated:
            digest = _digest("sha384", f"{nonce}{jwk['n']}{jwk['e']}".encode())
        evidence: Any = self._evidence(digest)
        if self.version == "0.1.0":
            evidence = json.dumps(evidence)
        return {"tee-pubkey": jwk, "tee-evidence": evidence}

    def decrypt(self, message: Mapping[str, str]) -> bytes:
        """The content of a resource response."""
        first_form = self.version in _FIRST_FORM
        protected = message["protected"]
        header = json.loads(protected if first_form else _unb64url(protected))
        if header["enc"] != "A256GCM":
            raise ValueError(f"content encrypted by {header['enc']}")
        cipher = AESGCM(self.key.content_key(header, _unb64url(message["encrypted_key"])))
        sealed = _unb64url(message["ciphertext"]) + _unb64url(message["tag"])
        aad = b"" if first_form else _b64url(_as_guests_write(header)).encode()
        return cipher.decrypt(_unb64url(message["iv"]), sealed, aad)

    def _composite(self, runtime_data: Mapping[str, Any], algorithm: str, digest: bytes) -> dict[str, Any]:
        more = json.dumps(self.additional(digest)) if self.additional is not None else ""
        primary = _digest(algorithm, _canonical({**runtime_data, "additional-evidence": more}))
        init_data = None if self.init_data is None else {"format": "toml", "body": self.init_data}
        evidence = {"primary_evidence": self._evidence(primary), "additional_evidence": more}
        return {"init-data": init_data, "runtime-data": runtime_data, "tee-evidence": evidence}

    def _evidence(self, digest: bytes) -> dict[str, Any]:
        if self.tee == "sample":
            return {"svn": "1", "report_data": _b64(digest)}
        if self.document is not None:
            return dict(self.document(digest.ljust(64, b"\x00")))
        quote = _b64(self.attester(digest.ljust(64, b"\x00")))
        if self.tee == "tdx":
            return {"cc_eventlog": self.event_log and _b64(self.event_log), "quote": quote}
        return {"quote": quote}


class KbsClient:
    """Drives a :class:`Guest` against the server at the base URL of ``http``, which keeps the cookies."""

    def __init__(self, guest: Guest, http: httpx.Client) -> None:
        self.guest = guest
        self.http = http
        self.token = ""

    def handshake(self) -> str:
        """Both steps; the token, which is kept too."""
        return self.attest(self.auth())

    def auth(self) -> dict[str, Any]:
        """The challenge."""
        return self._json(self.http.post("/kbs/v0/auth", json=self.guest.request()))

    def attest(self, challenge: Mapping[str, Any]) -> str:
        """The token for the evidence over ``challenge``."""
        answer = self.http.post("/kbs/v0/attest", json=self.guest.attestation(challenge))
        self.token = str(self._json(answer)["token"])
        return self.token

    def resource(self, path: str, *, token: str = "") -> bytes:
        """What is at ``repository/type/tag``, in the session; or by ``token`` alone, as a passport."""
        request = self.http.build_request("GET", f"/kbs/v0/resource/{path}")
        if token:
            request.headers.pop("Cookie", None)
            request.headers["Authorization"] = f"Bearer {token}"
        return self.guest.decrypt(self._json(self.http.send(request)))

    def _json(self, response: httpx.Response) -> dict[str, Any]:
        if response.status_code != httpx.codes.OK:
            raise KbsClientError(response.status_code, response.content)
        members = response.json()
        assert isinstance(members, dict)
        return members


def _canonical(value: Mapping[str, Any]) -> bytes:
    """RFC 8785 for what is hashed here: names are ASCII and there are no numbers."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _as_guests_write(header: Mapping[str, Any]) -> bytes:
    """The protected header as guest components write it again: ``alg``, ``enc``, and the others sorted."""
    others = {name: value for name, value in header.items() if name not in {"alg", "enc"}}
    text = json.dumps({"alg": header["alg"], "enc": header["enc"]}, separators=(",", ":"))
    if others:
        text = f"{text[:-1]},{_canonical(others).decode()[1:]}"
    return text.encode()


def _concat_kdf(shared: bytes, algorithm: bytes) -> bytes:
    """One round of RFC 7518 section 4.6.2 for 256 bits, without information on the parties."""
    fixed = len(algorithm).to_bytes(4) + algorithm + bytes(4) + bytes(4) + (256).to_bytes(4)
    return hashlib.sha256((1).to_bytes(4) + shared + fixed).digest()


def claims_of(token: str) -> dict[str, Any]:
    """The claims in ``token``, unverified."""
    claims: dict[str, Any] = json.loads(_unb64url(token.split(".")[1]))
    return claims


def _digest(algorithm: str, data: bytes) -> bytes:
    return hashlib.new(algorithm, data).digest()


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
