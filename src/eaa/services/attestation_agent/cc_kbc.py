"""``cc_kbc``: secrets from any KBS, ours or Trustee's, over its protocol [COCO-KBS]. In order:

1. A refusal of the attestation that is remembered is the answer: a refused guest does not attest in a storm.
2. One attestation serves all secrets while its token holds; who comes meanwhile waits for it.
3. The secret is fetched; a session that has ended is begun again, once.
"""

from __future__ import annotations

import asyncio
import math
import ssl
import time
from collections.abc import Callable

import httpx
import orjson

from eaa.broker.kbs.evidence_document import SHOWN_KINDS
from eaa.broker.names import ResourcePath
from eaa.broker.tokens import token_claims
from eaa.errors import ConfigError, EAAError, FormatError, UnsupportedError
from eaa.oci.key_id import KeyId
from eaa.services.attestation_agent.evidence import GuestEvidence
from eaa.services.attestation_agent.failures import advice_for, is_transient, step
from eaa.services.attestation_agent.patience import Patience
from eaa.services.attestation_agent.refusals import Refusals
from eaa.transport.kbs.client import KbsClient

__all__ = ["CcKbc"]

#: A token that is handed out holds at least as long.
_MARGIN_SECONDS = 30.0
_ATTESTING = "attesting"


class CcKbc:
    """A module, for one event loop.

    Args:
        url: of the KBS.
        evidence: of this guest.
        event_log: the TD's.
        certificate: PEM of who vouches for the KBS; ``None``: whoever this system believes.
        patience: with each request.
        refused_seconds: how long a refused attestation is the answer to all that is asked.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        url: str,
        evidence: GuestEvidence,
        *,
        event_log: Callable[[], bytes | None],
        certificate: bytes | None,
        patience: Patience,
        refused_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url, self._evidence, self._event_log = url, evidence, event_log
        self._patience, self._clock = patience, clock
        # No proxy of the environment gets to see what a guest attests.
        self._http = httpx.AsyncClient(
            base_url=url, timeout=patience.request_seconds, trust_env=False, verify=_context(certificate)
        )
        self._client: KbsClient | None = None
        self._refusals = Refusals(refused_seconds)
        self._attesting = asyncio.Lock()
        self._token, self._until = "", 0.0

    @property
    def valid_seconds(self) -> float:
        return self._token_seconds

    async def resource(self, path: ResourcePath) -> bytes:
        return await self._patience.ask(lambda: self._resource(path))

    async def key(self, kid: KeyId) -> bytes:
        if kid.resource_path is None:
            raise UnsupportedError(
                f"a KBS has keys as resources, kbs:///repository/type/tag, and none by the name {kid};"
                " eaa_kbc reaches verdictd's keys by name",
                detail="key_name",
            )
        return await self.resource(kid.resource_path)

    async def token(self) -> bytes:
        client = await self._patience.ask(lambda: self._attested(_MARGIN_SECONDS))
        # The client's key never leaves this process but here, for who presents the token to a KBS.
        pem = client.key.private_pem()
        return orjson.dumps({"token": client.token, "tee_keypair": pem})

    async def close(self) -> None:
        await self._http.aclose()

    async def _resource(self, path: ResourcePath) -> bytes:
        client = await self._attested(0.0)
        # 3.
        with step(f"cc_kbc: fetching {path} from {self._url}", advice_for(self._url, str(path))):
            return await client.resource(str(path))

    async def _attested(self, margin_seconds: float) -> KbsClient:
        """The client, with a token that holds for so long."""
        async with self._attesting:
            if self._client is not None and self._token_seconds > margin_seconds:
                return self._client
            # 1.
            self._refusals.require_none(_ATTESTING)
            try:
                # 2.
                with step(f"cc_kbc: attesting to {self._url}", advice_for(self._url)):
                    self._client = self._client or await self._make_client()
                    # Another may be at it, whose session had ended.
                    await self._client.attest(after=self._client.token)
            except EAAError as error:
                if not is_transient(error):
                    self._refusals.remember(_ATTESTING, error)
                raise
            return self._client

    async def _make_client(self) -> KbsClient:
        kind = await self._evidence.kind()
        if kind not in SHOWN_KINDS:
            raise UnsupportedError(f"evidence of kind {kind} is not sent to a KBS", detail="evidence_kind")
        return KbsClient(self._http, self._evidence.attester, kind, event_log=self._event_log)

    @property
    def _token_seconds(self) -> float:
        """What is left of the token's time; zero without one."""
        token = self._client.token if self._client is not None else ""
        if token != self._token:
            self._token, self._until = token, self._clock() + _lifetime_seconds(token)
        return self._until - self._clock() if token else 0.0


def _lifetime_seconds(token: str) -> float:
    """From ``iat`` to ``exp`` of a JWT, by the issuer's clock, since ours may be another; infinite without.

    Who verifies the token decides; this only says when to have the next.
    """
    try:
        claims = token_claims(token)
        seconds = float(claims["exp"]) - float(claims["iat"])
    except (IndexError, KeyError, TypeError, ValueError, OverflowError, FormatError):
        return math.inf
    return seconds


def _context(certificate: bytes | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=None if certificate is None else certificate.decode())
    except (ssl.SSLError, UnicodeDecodeError):
        raise ConfigError("the KBS's certificate: expected PEM", detail="kbs_cert", key="kbs_cert") from None
