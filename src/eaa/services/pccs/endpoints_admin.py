"""What needs a token: users register; administrators list, put and refresh [PCCS]."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Mapping

import orjson

from eaa.errors import (
    CredentialError,
    EAAError,
    EndorsementStale,
    EndorsementUnavailable,
    FormatError,
)
from eaa.services.pccs.answers import DONE, JSON, Answer, done
from eaa.services.pccs.appraisal_policy import parse_appraisal_policy
from eaa.services.pccs.call import Call, require_hexadecimal
from eaa.services.pccs.config import Mode, Tokens
from eaa.services.pccs.endpoints_intel import Endpoint
from eaa.services.pccs.http_app import PEER
from eaa.services.pccs.platforms import PlatformStock
from eaa.services.pccs.refresher import Refresher
from eaa.services.pccs.registration import Registrar, as_json, parse_registration
from eaa.services.pccs.stock import Stock
from eaa.services.pccs.uploaded import parse_upload
from eaa.storage.collateral.records import RegistrationState

__all__ = ["AdminEndpoints"]

_LOG = logging.getLogger("eaa.pccs")
#: More are fetched anew one after the other, and not before the answer.
_MAX_AT_ONCE = 100
_MAX_FMSPCS = 1024
_STATES = {"": RegistrationState.NEW, "reg": RegistrationState.NEW, "reg_na": RegistrationState.NOT_AVAILABLE}


class AdminEndpoints:
    """``accepts_tokens`` is false where a token would be sent in clear text."""

    def __init__(
        self,
        tokens: Tokens,
        stock: Stock,
        platforms: PlatformStock,
        refresher: Refresher,
        mode: Mode,
        *,
        accepts_tokens: bool,
    ) -> None:
        self._tokens, self._accepts_tokens = tokens, accepts_tokens
        self._stock, self._platforms, self._refresher, self._mode = stock, platforms, refresher, mode
        self._database = stock.database
        self._registrar = Registrar(stock.database, stock, platforms, mode)

    def routes(self) -> Mapping[tuple[str, str], Endpoint]:
        """By method and path below ``/sgx/certification/vN/``."""
        return {
            ("POST", "platforms"): self._user(self.register),
            ("GET", "platforms"): self._admin(self.platforms),
            ("PUT", "platformcollateral"): self._admin(self.put_collateral),
            ("PUT", "appraisalpolicy"): self._admin(self.put_policy),
            ("GET", "refresh"): self._admin(self.refresh),
            ("POST", "refresh"): self._admin(self.refresh),
        }

    async def register(self, call: Call) -> Answer:
        update = call.update("all")
        await self._registrar.register(parse_registration(call.json()), update)
        return DONE

    async def platforms(self, call: Call) -> Answer:
        """What has registered, which is not given out again; or what is kept, by FMSPC."""
        source = call.query.get("source", "")
        if source in _STATES:
            found = as_json(await self._database.registrations.take(_STATES[source]))
        else:
            kept = await self._database.platforms.with_tcbs(_fmspcs(source, "source"))
            names = ("qe_id", "pce_id", "cpu_svn", "pce_svn")
            found = [
                dict(zip(names, item[:4], strict=True))
                | {"enc_ppid": item[4].hex().upper(), "platform_manifest": item[5].hex().upper()}
                for item in kept
            ]
        return Answer(200, (("platform-count", str(len(found))), ("Content-Type", JSON)), orjson.dumps(found))

    async def put_collateral(self, call: Call) -> Answer:
        """Verified all together, then kept; what is older than what is there is left out, and said."""
        upload = parse_upload(call.body, call.version)
        allow_rollback = call.query.get("allow_rollback", "").lower() == "true"
        now = self._stock.clock()
        lists = [fetched.body for subject, fetched, _ in upload.documents if "crl" in subject.key]
        for subject, fetched, _ in upload.documents:
            self._stock.judge.verify(subject, fetched, lists, now)
        for item in upload.platforms:
            await self._platforms.verify(item.question, item.answer, lists)
        kept_newer = []
        for subject, fetched, version in upload.documents:
            try:
                await self._stock.put(subject, fetched, version=version, allow_rollback=allow_rollback)
            except EndorsementStale as error:
                _LOG.warning("%s", error)
                kept_newer.append(subject.key)
        for item in upload.platforms:
            known = await self._database.platforms.raw_tcbs(item.question.qe_id, item.question.pce_id)
            await self._platforms.keep(item.question, item.answer, (*known, *item.raw), may_fetch=False)
        if kept_newer:
            warning = f'299 - "kept what is newer: {", ".join(kept_newer)}"'
            return Answer(200, (*DONE.headers, ("Warning", warning[:4000])), DONE.body)
        return DONE

    async def put_policy(self, call: Call) -> Answer:
        policy = parse_appraisal_policy(call.json())
        await self._database.appraisal_policies.put(
            policy.identifier, policy.fmspc, policy.kind, policy.is_default, policy.text
        )
        return done(policy.identifier)

    async def refresh(self, call: Call) -> Answer:
        """Documents, or with ``type=certs`` the certificates of platforms, all or by FMSPC."""
        if self._mode is Mode.OFFLINE:
            raise EndorsementUnavailable("nothing is fetched in mode OFFLINE", detail="not_refreshable")
        kind = call.query.get("type", "")
        if kind not in ("", "certs"):
            raise FormatError(
                f"expected certs or nothing, came {kind!a:.40}",
                what="request",
                field="type",
                detail="parameter",
            )
        # What strangers may cause upstream is bounded by address, not what an administrator asks for.
        PEER.set("")
        if kind:
            errors = await self._refresh_platforms(_fmspcs(f"[{call.query.get('fmspc', '')}]", "fmspc"))
        else:
            heads = [
                item for item in await self._database.documents.heads() if item.name.startswith("intel/")
            ]
            errors = await asyncio.gather(*(self._refresher.document(item) for item in heads))
        failed = [error for error in errors if error is not None]
        if failed:
            raise EndorsementUnavailable(
                f"{len(failed)} of {len(errors)} were not fetched anew; the first: {failed[0]}",
                detail="not_refreshable",
            )
        return DONE

    async def _refresh_platforms(self, fmspcs: list[str]) -> list[EAAError | None]:
        platforms = await self._database.platforms.of_fmspcs(fmspcs)
        if len(platforms) <= _MAX_AT_ONCE:
            return list(await asyncio.gather(*(self._refresher.platform(item) for item in platforms)))
        now = self._stock.clock()
        await self._database.platforms.schedule([(item.qe_id, item.pce_id, now) for item in platforms])
        return []

    def _admin(self, endpoint: Endpoint) -> Endpoint:
        return self._authenticated(endpoint, "admin-token", self._tokens.admin_sha512)

    def _user(self, endpoint: Endpoint) -> Endpoint:
        return self._authenticated(endpoint, "user-token", self._tokens.user_sha512)

    def _authenticated(self, endpoint: Endpoint, header: str, sha512: str) -> Endpoint:
        async def authenticated(call: Call) -> Answer:
            if not self._accepts_tokens:
                raise CredentialError("tokens are not taken in clear text off loopback", detail="clear_text")
            came = hashlib.sha512(call.headers.get(header, "").encode("latin-1")).hexdigest()
            if not sha512 or not hmac.compare_digest(came, sha512):
                what = "is not the configured one" if call.headers.get(header) else "is missing"
                raise CredentialError(f"the header {header} {what}", detail="token")
            return await endpoint(call)

        return authenticated


def _fmspcs(text: str, field: str) -> list[str]:
    """Of ``[FMSPC,…]``."""
    if len(text) < 2 or text[0] != "[" or text[-1] != "]" or text.count(",") >= _MAX_FMSPCS:
        raise FormatError(
            f"expected reg, reg_na or [FMSPC,…], came {text!a:.40}", what="request", field=field,
            spec="[PCCS]", detail="parameter",
        )  # fmt: skip
    inner = text[1:-1].strip()
    return [require_hexadecimal(item.strip(), field, 12) for item in inner.split(",")] if inner else []
