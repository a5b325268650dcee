"""What the guest shows of itself: evidence in the documents that verifiers of guest components read."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Callable, Mapping
from types import MappingProxyType

import orjson

from eaa.broker.kbs.init_data import expected_register
from eaa.broker.kbs.tees import Tee
from eaa.errors import AttesterError, BindingError, UnsupportedError, UsageError
from eaa.evidence.dcap_quote import parse_quote_frame
from eaa.evidence.sgx import EnclaveReport
from eaa.evidence.tdx import TdReport
from eaa.tls.peer import AttachedEvidence, Attester, EvidenceKind

__all__ = ["GuestEvidence"]

_REPORT_DATA_BYTES = 64
#: At a time: a TEE's firmware answers one after another.
_MAX_COLLECTIONS = 2
_TEES: Mapping[EvidenceKind, Tee] = MappingProxyType(
    {
        EvidenceKind.TDX_QUOTE: Tee.TDX,
        EvidenceKind.SGX_QUOTE: Tee.SGX,
        EvidenceKind.SNP_REPORT: Tee.SNP,
        EvidenceKind.CSV_REPORT: Tee.CSV,
    }
)


class GuestEvidence:
    """Of ``attester``, ``None`` where there is no TEE; ``event_log`` reads the TD's, if it has one."""

    def __init__(self, attester: Attester | None, event_log: Callable[[], bytes | None]) -> None:
        self._attester, self._event_log = attester, event_log
        self._free = asyncio.Semaphore(_MAX_COLLECTIONS)
        self._kind: EvidenceKind | None = None

    @property
    def attester(self) -> Attester:
        """Who collects.

        Raises:
            AttesterError: ``attester.none``.
        """
        if self._attester is None:
            raise AttesterError("this agent has no attester; see --attester", detail="none")
        return self._attester

    async def kind(self) -> EvidenceKind:
        """What the attester's evidence is, found out once."""
        if self._kind is None:
            self._kind = (await self._collect(bytes(_REPORT_DATA_BYTES))).kind
        return self._kind

    async def tee(self) -> str:
        """As guest components name it, e.g. ``tdx``.

        Raises:
            UnsupportedError: ``unsupported.tee``: it has no name there.
            AttesterError
        """
        kind = await self.kind()
        if kind not in _TEES:
            raise UnsupportedError(f"evidence of kind {kind} has no name among TEEs", detail="tee")
        return _TEES[kind].value

    async def document(self, runtime_data: bytes) -> bytes:
        """Evidence whose report data begins with ``runtime_data``, zeros following, as JSON.

        Raises:
            UsageError: ``usage.runtime_data``: more than 64 bytes; who has more sends a hash.
            UnsupportedError: ``unsupported.evidence_document``.
            AttesterError
        """
        if len(runtime_data) > _REPORT_DATA_BYTES:
            raise UsageError(
                f"runtime data has at most {_REPORT_DATA_BYTES} bytes, came {len(runtime_data)}; send a hash",
                detail="runtime_data",
            )
        collected = await self._collect(runtime_data.ljust(_REPORT_DATA_BYTES, b"\x00"))
        document: dict[str, str | None] = {"quote": b64encode(collected.evidence).decode()}
        match collected.kind:
            case EvidenceKind.TDX_QUOTE:
                log = await asyncio.to_thread(self._event_log)
                document["cc_eventlog"] = b64encode(log).decode() if log else None
            case EvidenceKind.SGX_QUOTE:
                pass
            case kind:
                raise UnsupportedError(f"evidence of kind {kind} is not shown", detail="evidence_document")
        return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)

    async def require_init_data(self, digest: bytes) -> None:
        """Holds if this TEE was started with init-data of ``digest``, 32, 48 or 64 bytes.

        Raises:
            BindingError: ``binding.config_id``: with other, or none.
            UsageError: the length.
            UnsupportedError: it has no register for that.
            AttesterError
        """
        tee = Tee(await self.tee())
        expected = expected_register(tee, digest)
        body = parse_quote_frame((await self._collect(bytes(_REPORT_DATA_BYTES))).evidence).body
        match body:
            case TdReport():
                held = body.mr_config_id
            case EnclaveReport():
                held = body.config_id
            case _:
                raise UnsupportedError(f"init-data of {tee} cannot be read", detail="init_data")
        if held != expected:
            raise BindingError("this TEE was not started with this init-data", detail="config_id")

    async def _collect(self, report_data: bytes) -> AttachedEvidence:
        async with self._free:
            return await asyncio.to_thread(self.attester.collect, report_data)
