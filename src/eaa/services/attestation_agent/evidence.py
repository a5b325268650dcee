"""What the guest shows of itself: evidence in the documents that verifiers of guest components read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import orjson

from eaa.broker.kbs.evidence_document import TEE_OF_KIND, evidence_document
from eaa.broker.kbs.init_data import expected_register
from eaa.broker.kbs.tees import Tee
from eaa.errors import AttesterError, BindingError, UnsupportedError, UsageError
from eaa.evidence.dcap_quote import parse_quote_frame
from eaa.evidence.sgx import EnclaveReport
from eaa.evidence.snp import parse_snp_report
from eaa.tls.peer import REPORT_DATA_BYTES, AttachedEvidence, Attester, EvidenceKind
from eaa.transport.kbs.logged_evidence import collect_with_log

__all__ = ["GuestEvidence"]

#: At a time: a TEE's firmware answers one after another.
_MAX_COLLECTIONS = 2


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
            self._kind = (await self._collect(bytes(REPORT_DATA_BYTES))).kind
        return self._kind

    async def tee(self) -> str:
        """As guest components name it, e.g. ``tdx``.

        Raises:
            UnsupportedError: ``unsupported.tee``: it has no name there.
            AttesterError
        """
        kind = await self.kind()
        if kind not in TEE_OF_KIND:
            raise UnsupportedError(f"evidence of kind {kind} has no name among TEEs", detail="tee")
        return TEE_OF_KIND[kind].value

    async def document(self, runtime_data: bytes) -> bytes:
        """Evidence whose report data begins with ``runtime_data``, zeros following, as JSON.

        Raises:
            UsageError: ``usage.runtime_data``: more than 64 bytes; who has more sends a hash.
            UnsupportedError: ``unsupported.evidence_document``.
            AttesterError
        """
        if len(runtime_data) > REPORT_DATA_BYTES:
            raise UsageError(
                f"runtime data has at most {REPORT_DATA_BYTES} bytes, came {len(runtime_data)}; send a hash",
                detail="runtime_data",
            )
        is_td = await self.kind() is EvidenceKind.TDX_QUOTE
        collected, log = await collect_with_log(
            lambda: self._collect(runtime_data.ljust(REPORT_DATA_BYTES, b"\x00")),
            self._event_log if is_td else lambda: None,
        )
        document = evidence_document(collected, log)
        return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)

    async def require_init_data(self, digest: bytes) -> None:
        """Holds if this TEE was started with init-data of ``digest``, 32, 48 or 64 bytes.

        Raises:
            BindingError: ``binding.config_id``: with other, or none.
            UsageError: the length.
            UnsupportedError: it has no register for that.
            FormatError: its own evidence is malformed.
            AttesterError
        """
        tee = Tee(await self.tee())
        expected = expected_register(tee, digest)
        if _register(await self._collect(bytes(REPORT_DATA_BYTES))) != expected:
            raise BindingError("this TEE was not started with this init-data", detail="config_id")

    async def _collect(self, report_data: bytes) -> AttachedEvidence:
        async with self._free:
            return await asyncio.to_thread(self.attester.collect, report_data)


def _register(collected: AttachedEvidence) -> bytes:
    """MRCONFIGID, CONFIGID or HOST_DATA."""
    if collected.kind is EvidenceKind.SNP_REPORT:
        return parse_snp_report(collected.evidence).body.host_data
    body = parse_quote_frame(collected.evidence).body
    return body.config_id if isinstance(body, EnclaveReport) else body.mr_config_id
