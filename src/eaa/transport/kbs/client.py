"""A guest's client of the KBS protocol, version 0.4.0 [COCO-KBS]: attest once, then fetch."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from eaa.codec.canonical_json import Json, canonical_json
from eaa.codec.strict_json import parse_json
from eaa.errors import (
    AccessDenied,
    EAAError,
    FormatError,
    RemoteProtocolError,
    ResourceNotFound,
    SessionError,
)
from eaa.tls.peer import Attester, EvidenceKind
from eaa.transport.kbs.guest_key import GuestKey

__all__ = ["KbsClient", "Refused"]

VERSION = "0.4.0"
_REPORT_DATA_BYTES = 64
_MAX_RESPONSE_BYTES = 8 * 1024 * 1024
_TEES: Mapping[EvidenceKind, str] = {EvidenceKind.TDX_QUOTE: "tdx", EvidenceKind.SGX_QUOTE: "sgx"}
_HASHES = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}


@dataclass(frozen=True, slots=True)
class Refused:
    """What the broker says of a refusal."""

    status: int
    variant: str
    detail: str


class KbsClient:
    """Speaks for the guest that ``attester`` collects evidence of, through ``http``, which keeps the session.

    A session that has ended is begun again, once for each request.

    Args:
        http: with the broker's base URL, cookies of its own, and a timeout.
        attester: its evidence is bound to the challenge and to a key made here.
        tee: the kind of its evidence.
        event_log: the TD's, read at each attestation.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        attester: Attester,
        tee: EvidenceKind,
        *,
        event_log: Callable[[], bytes | None] = lambda: None,
        policy: str = "",
    ) -> None:
        self._http, self._attester, self._tee = http, attester, _TEES[tee]
        self._event_log, self._policy = event_log, policy
        self._key = GuestKey()
        self._attested = False
        self._attesting = asyncio.Lock()
        self.token = ""

    async def attest(self) -> str:
        """Attest anew; the token.

        Raises:
            EAAError: refused, with the broker's own words; or it is not reached.
        """
        async with self._attesting:
            return await self._attest()

    async def resource(self, path: str) -> bytes:
        """What is at ``repository/type/tag``.

        Raises:
            AccessDenied: the policy does not grant it.
            ResourceNotFound: it is not there.
            EAAError: as :meth:`attest`.
        """
        if not self._attested:
            await self.attest()
        try:
            return await self._fetch(path)
        except SessionError:
            await self.attest()
            return await self._fetch(path)

    async def _attest(self) -> str:
        self._attested = False
        extra: dict[str, Any] = {"supported-hash-algorithms": list(_HASHES)}
        if self._policy:
            extra["id"] = self._policy
        challenge = await self._post("auth", {"version": VERSION, "tee": self._tee, "extra-params": extra})
        nonce, chosen = challenge.get("nonce"), challenge.get("extra-params")
        name = chosen.get("selected-hash-algorithm", "sha384") if isinstance(chosen, dict) else "sha384"
        if not isinstance(nonce, str) or name not in _HASHES:
            raise RemoteProtocolError("expected a nonce and a known hash algorithm", detail="challenge")
        answer = await self._post("attest", await self._attestation(nonce, name))
        if not isinstance(answer.get("token"), str):
            raise RemoteProtocolError("expected a token", detail="token")
        self.token, self._attested = answer["token"], True
        return self.token

    async def _attestation(self, nonce: str, algorithm: str) -> dict[str, Any]:
        runtime_data: dict[str, Json] = {"nonce": nonce, "tee-pubkey": dict(self._key.jwk)}
        bound = canonical_json({**runtime_data, "additional-evidence": ""}, "runtime data")
        digest = _HASHES[algorithm](bound).digest()
        collected = await asyncio.to_thread(self._attester.collect, digest.ljust(_REPORT_DATA_BYTES, b"\x00"))
        primary: dict[str, Any] = {"quote": base64.b64encode(collected.evidence).decode()}
        if self._tee == "tdx":
            log = await asyncio.to_thread(self._event_log)
            primary["cc_eventlog"] = base64.b64encode(log).decode() if log else None
        return {
            "init-data": None,
            "runtime-data": runtime_data,
            "tee-evidence": {"primary_evidence": primary, "additional_evidence": ""},
        }

    async def _fetch(self, path: str) -> bytes:
        return self._key.decrypt(await self._send("GET", f"/kbs/v0/resource/{path}", None))

    async def _post(self, step: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return await self._send("POST", f"/kbs/v0/{step}", body)

    async def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        try:
            response = await self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise RemoteProtocolError(
                f"the broker is not reached: {type(error).__name__}: {error}", detail="unreachable"
            ) from None
        if response.status_code != httpx.codes.OK:
            raise _error(response)
        if len(response.content) > _MAX_RESPONSE_BYTES:
            raise RemoteProtocolError(f"more than {_MAX_RESPONSE_BYTES} bytes", detail="too_large")
        return _object(response.content)


def _object(content: bytes) -> dict[str, Any]:
    try:
        value = parse_json(content, "KBS response")
    except FormatError as error:
        raise RemoteProtocolError(str(error), detail="response") from None
    if not isinstance(value, dict):
        raise RemoteProtocolError("KBS response: expected a JSON object", detail="response")
    return value


def _error(response: httpx.Response) -> EAAError:
    """The refusal in the terms of our own errors, with the broker's words for the operator."""
    status = response.status_code
    try:
        document = _object(response.content)
        refused = Refused(
            status,
            str(document.get("type", "")).rpartition("/")[2][:64],
            str(document.get("detail", ""))[:512],
        )
    except RemoteProtocolError:
        refused = Refused(status, "", "no reason is given")
    text = f"the broker refuses ({refused.variant or status}): {refused.detail}"
    if status == httpx.codes.UNAUTHORIZED:
        return SessionError(text, detail="refused", status=status)
    if status == httpx.codes.FORBIDDEN:
        return AccessDenied(text, detail="refused", status=status)
    if status == httpx.codes.NOT_FOUND:
        return ResourceNotFound(text, detail="refused", status=status)
    return RemoteProtocolError(text, detail="refused", status=status)
