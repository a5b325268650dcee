"""A guest's client of the KBS protocol, version 0.4.0 [COCO-KBS]: attest once, then fetch."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from eaa.broker.kbs.evidence_document import TEE_OF_KIND, evidence_document
from eaa.broker.names import ResourcePath
from eaa.codec.canonical_json import Json, canonical_json
from eaa.errors import RemoteProtocolError, SessionError
from eaa.tls.peer import REPORT_DATA_BYTES, Attester, EvidenceKind
from eaa.transport.kbs.answers import parse_object, read_answer, refusal
from eaa.transport.kbs.guest_key import GuestKey
from eaa.transport.kbs.logged_evidence import collect_with_log

__all__ = ["KbsClient"]

VERSION = "0.4.0"
_HASHES = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}


class KbsClient:
    """Speaks for the guest that ``attester`` collects evidence of, through ``http``, which keeps the session.

    A session that has ended is begun again, once for each request.

    Args:
        http: with the broker's base URL, cookies of its own, and a timeout.
        attester: its evidence is bound to the challenge and to a key made here.
        tee: the kind of its evidence, one of ``SHOWN_KINDS``.
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
        self._http, self._attester, self._kind = http, attester, tee
        self._event_log, self._policy = event_log, policy
        self.key = GuestKey()
        self._attesting = asyncio.Lock()
        self.token = ""

    async def attest(self, *, after: str | None = None) -> str:
        """Attest anew, unless another task has done so since the token was ``after``; the token.

        Raises:
            EAAError: refused, with the broker's own words, and its code in ``fields["code"]`` and the id of
                its record in ``decision`` if it says them; or it is not reached.
        """
        async with self._attesting:
            if after is not None and self.token not in ("", after):
                return self.token
            return await self._attest()

    async def resource(self, path: str) -> bytes:
        """What is at ``repository/type/tag``.

        Raises:
            FormatError: ``path`` is no such path.
            AccessDenied: the policy does not grant it.
            ResourceNotFound: it is not there.
            EAAError: as :meth:`attest`.
        """
        wanted = ResourcePath.parse(path)
        token = self.token or await self.attest(after="")
        try:
            return await self._fetch(wanted)
        except SessionError:
            await self.attest(after=token)
            return await self._fetch(wanted)

    async def _attest(self) -> str:
        self.token = ""
        tee = TEE_OF_KIND[self._kind].value
        extra: dict[str, Any] = {"supported-hash-algorithms": list(_HASHES)}
        if self._policy:
            extra["id"] = self._policy
        challenge = await self._post("auth", {"version": VERSION, "tee": tee, "extra-params": extra})
        nonce, chosen = challenge.get("nonce"), challenge.get("extra-params")
        name = chosen.get("selected-hash-algorithm", "sha384") if isinstance(chosen, dict) else "sha384"
        if not isinstance(nonce, str) or not isinstance(name, str) or name not in _HASHES:
            raise RemoteProtocolError("expected a nonce and a known hash algorithm", detail="challenge")
        answer = await self._post("attest", await self._attestation(nonce, name))
        token = answer.get("token")
        if not isinstance(token, str) or not token:
            raise RemoteProtocolError("expected a token", detail="token")
        self.token = token
        return token

    async def _attestation(self, nonce: str, algorithm: str) -> dict[str, Any]:
        runtime_data: dict[str, Json] = {"nonce": nonce, "tee-pubkey": dict(self.key.jwk)}
        bound = canonical_json({**runtime_data, "additional-evidence": ""}, "runtime data")
        digest = _HASHES[algorithm](bound).digest()
        report_data = digest.ljust(REPORT_DATA_BYTES, b"\x00")
        collected, log = await collect_with_log(
            lambda: asyncio.to_thread(self._attester.collect, report_data),
            self._event_log if self._kind is EvidenceKind.TDX_QUOTE else lambda: None,
        )
        primary = evidence_document(collected, log)
        return {
            "init-data": None,
            "runtime-data": runtime_data,
            "tee-evidence": {"primary_evidence": primary, "additional_evidence": ""},
        }

    async def _fetch(self, path: ResourcePath) -> bytes:
        return self.key.decrypt(await self._send("GET", f"/kbs/v0/resource/{path}", None))

    async def _post(self, step: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return await self._send("POST", f"/kbs/v0/{step}", body)

    async def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        try:
            async with self._http.stream(method, path, json=body) as response:
                status, content = response.status_code, await read_answer(response)
        except (httpx.HTTPError, UnicodeError) as error:  # the latter of a redirect to what is no name
            raise RemoteProtocolError(
                f"the broker is not reached: {type(error).__name__}: {error}", detail="unreachable"
            ) from None
        if status != httpx.codes.OK:
            raise refusal(status, content)
        return parse_object(content)
