"""PCK certificates: of platforms that are known, and, where they may be, of those that are not yet."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from eaa.codec.strict_json import member_bytes
from eaa.endorsements.fetched import Fetched
from eaa.endorsements.pck import parse_pck_extension
from eaa.endorsements.subject import PckCrlSubject, RootCaCrlSubject, TcbInfoSubject
from eaa.endorsements.tcb_info import TcbInfo, parse_tcb_info
from eaa.endorsements.x509 import parse_certificate, parse_certificate_chain
from eaa.errors import (
    EAAError,
    EndorsementError,
    EndorsementNotFound,
    FormatError,
    UnsupportedError,
    VerificationError,
)
from eaa.provider.single_flight import SingleFlight
from eaa.services.pccs.schedule import never, platform_due
from eaa.services.pccs.selection import Candidate, select_certificate, svns_of_raw
from eaa.services.pccs.stock import Stock
from eaa.services.pccs.upstream import PckAnswer, PckQuestion
from eaa.storage.collateral.records import (
    Document,
    PckCertificate,
    Platform,
    RawTcb,
    Registration,
    RegistrationState,
    Served,
)

__all__ = ["Certified", "PlatformStock", "chain_name"]

_LOG = logging.getLogger("eaa.pccs")
#: Of one platform. It has a new one with each update of microcode or PCE; anybody may ask for any other.
_MAX_RAW_TCBS = 64
#: What came is wrong, or not all is there. Other errors are ours, or of who asked, and not of who asks next.
_WRONG = (VerificationError, UnsupportedError, FormatError, EndorsementNotFound)


@dataclass(frozen=True, slots=True)
class Certified:
    """A PCK certificate as it is served, with its issuer chain in PEM."""

    served: Served
    chain: str
    expires_at: datetime


class PlatformStock:
    """All platforms. ``register_missing`` keeps, in mode REQ, what Intel had no certificates for."""

    def __init__(self, stock: Stock, refresh: timedelta, *, register_missing: bool) -> None:
        self._stock, self._refresh, self._register_missing = stock, refresh, register_missing
        self._database = stock.database
        self._flights: SingleFlight[Platform] = SingleFlight()

    async def certificate(self, question: PckQuestion, *, may_fetch: bool) -> Certified:
        """The best certificate for the raw TCB of ``question``.

        Raises:
            EndorsementNotFound: ``platform`` if it is not known and may not be fetched; ``tcb_level`` if no
                certificate is for the TCB.
            EndorsementUnavailable, VerificationError, FormatError, StorageError
        """
        platforms = self._database.platforms
        key = question.qe_id, question.pce_id
        served = await platforms.served(*key, question.cpu_svn, question.pce_svn)
        if served is not None:
            self._stock.events.hit("intel")
            return await self._with_chain(served)
        platform = await platforms.read(*key)
        if platform is None or (may_fetch and self._stock.upstream.selects):
            if not may_fetch:
                raise _unknown(question)
            self._stock.events.miss("intel")
            platform = await self.fetch(question)
            served = await platforms.served(*key, question.cpu_svn, question.pce_svn)
            if served is not None:
                return await self._with_chain(served)
        return await self._with_chain(await self._choose(platform, question, may_fetch=may_fetch))

    async def fetch(self, question: PckQuestion) -> Platform:
        """Ask for all certificates of the platform, once for all who ask at the same time, and keep them.

        Raises:
            EndorsementNotFound, EndorsementUnavailable, VerificationError, FormatError, StorageError
        """
        raw = f"/{question.cpu_svn}/{question.pce_svn}" if self._stock.upstream.selects else ""
        key = f"platform/{question.qe_id}/{question.pce_id}{raw}"
        return await self._flights.run(key, lambda: self._fetch(key, question))

    async def keep(
        self, question: PckQuestion, answer: PckAnswer, raw: Sequence[RawTcb], *, may_fetch: bool
    ) -> Platform:
        """Verify ``answer`` and keep it, with the best certificates for ``raw`` and the TCB of ``question``.

        TCB info, by which they are selected, is fetched if it is not there, or there must be some.

        Raises:
            VerificationError, EndorsementNotFound, StorageError
        """
        now = self._stock.clock()
        found, chain = await self.verify(question, answer)
        if may_fetch:
            await self._have_tcb_infos(bytes.fromhex(answer.fmspc))
        info = await self.tcb_info(answer.fmspc, may_fetch=may_fetch)
        await self._keep_chain(answer.ca, chain, now)
        platform = Platform(
            question.qe_id, question.pce_id, answer.fmspc, answer.ca, bytes.fromhex(question.enc_ppid),
            bytes.fromhex(question.manifest), now, platform_due(now, self._refresh, self._stock.spread()),
        )  # fmt: skip
        missing = len(found) < len(answer.certificates)
        remembers = _remembers(raw, question)
        own = _raw_of(question) if remembers and (self._register_missing or not missing) else ()
        pairs = {(item.cpu_svn, item.pce_svn) for item in (*raw, *own)}
        certificates = [
            PckCertificate(item.tcbm, item.der) for item in answer.certificates if item.der is not None
        ]
        if answer.complete:
            best = {pair: _best(found.values(), info, question.pce_id, *pair) for pair in sorted(pairs)}
            chosen = [RawTcb(*pair, item.tcbm) for pair, item in best.items() if item is not None]
            await self._database.platforms.put(platform, certificates, chosen)
        else:
            best_one = RawTcb(question.cpu_svn, question.pce_svn, certificates[0].tcbm)
            chosen = [best_one] if remembers else []
            await self._database.platforms.add(platform, certificates, chosen)
        if self._register_missing:
            await self._keep_missing(question, answer)
        return platform

    async def tcb_info(self, fmspc: str, *, may_fetch: bool) -> TcbInfo:
        """What certificates are selected by: SGX TCB info, the early one if there is one.

        Raises:
            EndorsementNotFound, EndorsementUnavailable, VerificationError, StorageError
        """
        subject = bytes.fromhex(fmspc)
        try:
            document = await self._stock.document(
                TcbInfoSubject("sgx", subject, "early"), may_fetch=may_fetch
            )
        except EndorsementNotFound:
            document = await self._stock.document(TcbInfoSubject("sgx", subject), may_fetch=may_fetch)
        return parse_tcb_info(member_bytes(document.body, "tcbInfo", document.name))

    async def _have_tcb_infos(self, fmspc: bytes) -> None:
        """Of both TEEs and updates; only SGX's standard one must be there."""
        for subject in (
            TcbInfoSubject("sgx", fmspc), TcbInfoSubject("sgx", fmspc, "early"),
            TcbInfoSubject("tdx", fmspc), TcbInfoSubject("tdx", fmspc, "early"),
        ):  # fmt: skip
            try:
                await self._stock.document(subject, may_fetch=True)
            except EndorsementNotFound:
                if subject == TcbInfoSubject("sgx", fmspc):
                    raise

    async def close(self) -> None:
        """End what is under way."""
        await self._flights.close()

    async def _fetch(self, key: str, question: PckQuestion) -> Platform:
        _require_identity(question)
        self._stock.negatives.require(key)
        self._stock.admit()
        answer = await self._stock.ask("intel", key, lambda: self._stock.upstream.pck_certificates(question))
        raw = await self._database.platforms.raw_tcbs(question.qe_id, question.pce_id)
        try:
            platform = await self.keep(question, answer, raw, may_fetch=True)
        except EAAError as error:
            _LOG.error("certificates of a platform are not kept: %s: %s", error.code, error)
            if isinstance(error, _WRONG):
                self._stock.negatives.wrong(key, error)
            self._stock.events.fetched("intel", error)
            raise
        self._stock.events.fetched("intel", None)
        return platform

    async def verify(
        self, question: PckQuestion, answer: PckAnswer, lists: Sequence[bytes] = ()
    ) -> tuple[dict[str, Candidate], str]:
        """The genuine certificates in ``answer`` by TCBm, and their issuer chain. Nothing is kept.

        ``lists`` are revocation lists, preferred to those that are held.

        Raises:
            VerificationError, EndorsementNotFound, StorageError
        """
        now = self._stock.clock()
        available = [item for item in answer.certificates if item.der is not None]
        if not available:
            raise EndorsementNotFound(
                "there is no PCK certificate for any TCB of the platform: register it with its manifest, or "
                "update its microcode",
                detail="tcb_level",
            )
        subjects = (RootCaCrlSubject(), PckCrlSubject(answer.ca.lower()))
        held = [await self._stock.held(subject) for subject in subjects]
        lists = [*lists, *(item.body for item in held if item is not None)]
        found = {}
        for item in available:
            fetched = Fetched(item.der or b"", answer.issuer_chain)
            pck = self._stock.judge.pck_certificate(
                item.tcbm, fetched, answer.fmspc, question.pce_id, lists, now
            )
            found[item.tcbm] = Candidate(item.tcbm, pck)
        ca = parse_certificate_chain(answer.issuer_chain, what="PCK certificate issuer chain")[0]
        if answer.ca.title() not in ca.common_name:
            raise EndorsementError(
                f"the certificates are said to be of the {answer.ca} CA, and are of {ca.common_name!r}",
                detail="pck_ca",
            )
        return found, answer.issuer_chain.decode("ascii")

    async def _keep_chain(self, ca: str, chain: str, now: datetime) -> None:
        certificates = parse_certificate_chain(chain.encode(), what="PCK certificate issuer chain")
        expires = min(item.not_after for item in certificates)
        document = Document(
            chain_name(ca), b"", chain, 0, certificates[0].not_before, expires, now, never(now)
        )
        held = await self._database.documents.read(document.name)
        if held is None or held.chain != chain:
            await self._database.documents.put(document, lambda old: None)

    async def _keep_missing(self, question: PckQuestion, answer: PckAnswer) -> None:
        missing = [
            Registration(
                question.qe_id, question.pce_id, item.tcbm[:32], item.tcbm[32:], question.enc_ppid,
                question.manifest,
            )
            for item in answer.certificates
            if item.der is None
        ]  # fmt: skip
        await self._database.registrations.put(missing, RegistrationState.NOT_AVAILABLE)

    async def _choose(self, platform: Platform, question: PckQuestion, *, may_fetch: bool) -> Served:
        """The best of the certificates that are there, for a raw TCB that is new."""
        info = await self.tcb_info(platform.fmspc, may_fetch=may_fetch)
        kept = await self._database.platforms.certificates(platform.qe_id, platform.pce_id)
        candidates = [Candidate(item.tcbm, parse_pck_extension(parse_certificate(item.der))) for item in kept]
        best = _best(candidates, info, platform.pce_id, question.cpu_svn, question.pce_svn)
        if best is None:
            raise EndorsementNotFound(
                f"no PCK certificate of the platform is for CPUSVN {question.cpu_svn} and PCESVN "
                f"{question.pce_svn}: refresh the platform's certificates",
                detail="cache",
            )
        if _remembers(await self._database.platforms.raw_tcbs(platform.qe_id, platform.pce_id), question):
            await self._database.platforms.choose(
                platform.qe_id, platform.pce_id, RawTcb(question.cpu_svn, question.pce_svn, best.tcbm)
            )
        der = next(item.der for item in kept if item.tcbm == best.tcbm)
        return Served(best.tcbm, der, platform.fmspc, platform.ca)

    async def _with_chain(self, served: Served) -> Certified:
        document = await self._stock.held_by_name(chain_name(served.ca))
        if document is None:
            raise EndorsementNotFound(f"the issuer chain of the {served.ca} CA is not kept", detail="cache")
        expires = min(document.expires_at, parse_certificate(served.der).not_after)
        if self._stock.clock() > expires:
            raise EndorsementNotFound(
                f"the platform's PCK certificate expired at {expires:%Y-%m-%dT%H:%M:%SZ}", detail="expired"
            )
        return Certified(served, document.chain, expires)


def chain_name(ca: str) -> str:
    """What the issuer chain of PCK certificates is kept as, ``"PROCESSOR"``'s or ``"PLATFORM"``'s."""
    return f"intel/pckchain/{ca.lower()}"


def _best(
    candidates: Iterable[Candidate], info: TcbInfo, pce_id: str, cpu_svn: str, pce_svn: str
) -> Candidate | None:
    raw = svns_of_raw(cpu_svn, pce_svn)
    return select_certificate(raw, tuple(candidates), info, bytes.fromhex(pce_id))


def _remembers(known: Sequence[RawTcb], question: PckQuestion) -> bool:
    """Whether the raw TCB of ``question`` is one of ``known``, or there is room for it."""
    own = question.cpu_svn, question.pce_svn
    return len(known) < _MAX_RAW_TCBS or own in {(item.cpu_svn, item.pce_svn) for item in known}


def _raw_of(question: PckQuestion) -> tuple[RawTcb, ...]:
    return (RawTcb(question.cpu_svn, question.pce_svn, ""),) if question.cpu_svn and question.pce_svn else ()


def _require_identity(question: PckQuestion) -> None:
    """Upstream knows a platform by its encrypted PPID or its manifest, PCS at least."""
    if not question.enc_ppid and not question.manifest:
        raise FormatError(
            "the platform is not known here: expected what it is asked for with", what="request",
            field="encrypted_ppid", spec="[PCCS]", detail="parameter",
        )  # fmt: skip
    if not question.manifest and not question.enc_ppid.strip("0"):
        raise EndorsementNotFound(
            "the encrypted PPID is all zeros, which no platform has: this one has several packages, register "
            "it with its manifest",
            detail="encrypted_ppid",
        )


def _unknown(question: PckQuestion) -> EndorsementNotFound:
    return EndorsementNotFound(
        f"the platform with QE id {question.qe_id[:64]} is not known, and is not fetched in this mode: "
        "register it with POST platforms, or put its certificates with PUT platformcollateral",
        detail="platform",
    )
