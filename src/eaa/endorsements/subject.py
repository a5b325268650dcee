"""What an endorsement is of: the name by which it is asked for, kept and compared.

Each subject has a ``key``, a path of lower-case words that no other subject has. :func:`parse_subject`
reads it back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from eaa.errors import FormatError, UsageError
from eaa.evidence.snp_bits import SigningKey
from eaa.evidence.snp_tcb import TCB_BYTES, SnpProduct, TcbVersion, parse_tcb_version

__all__ = [
    "AmdChainSubject",
    "AmdCrlSubject",
    "HygonChainSubject",
    "IdentitySubject",
    "PckCertificateSubject",
    "PckCrlSubject",
    "RootCaCrlSubject",
    "Subject",
    "TcbInfoSubject",
    "Update",
    "VekSubject",
    "parse_subject",
]

#: Which of the two TCB recoveries in force Intel is asked for [PCS-API v4 "Get TCB Info"].
Update = Literal["standard", "early"]
_HYGON_CHIP_ID = re.compile(r"[0-9A-Za-z]{1,64}")


@dataclass(frozen=True, slots=True)
class TcbInfoSubject:
    """TCB info of the platforms with ``fmspc``, 6 bytes, for ``tee``, ``"sgx"`` or ``"tdx"``."""

    tee: str
    fmspc: bytes
    update: Update = "standard"

    @property
    def key(self) -> str:
        return f"intel/tcb/{self.tee}/{self.fmspc.hex()}/{self.update}"


@dataclass(frozen=True, slots=True)
class IdentitySubject:
    """The identity of Intel's enclave ``id``: ``"QE"``, ``"TD_QE"`` or ``"QVE"``."""

    id: str
    update: Update = "standard"

    @property
    def key(self) -> str:
        return f"intel/identity/{self.id.lower()}/{self.update}"


@dataclass(frozen=True, slots=True)
class PckCrlSubject:
    """The revocation list of the PCK CA ``ca``: ``"platform"`` or ``"processor"``."""

    ca: str

    @property
    def key(self) -> str:
        return f"intel/pckcrl/{self.ca}"


@dataclass(frozen=True, slots=True)
class RootCaCrlSubject:
    """The revocation list of Intel's SGX root CA."""

    @property
    def key(self) -> str:
        return "intel/rootcacrl"


@dataclass(frozen=True, slots=True)
class PckCertificateSubject:
    """The PCK certificate for one TCB of one platform; what it is asked for with is not in it but FMSPC's.

    ``ppid`` and ``fmspc`` are ``None`` where who asks does not know them.
    """

    qe_id: bytes  # 16
    pce_id: bytes  # 2, in the certificate's byte order
    cpu_svn: bytes  # 16
    pce_svn: int
    fmspc: bytes | None = None  # 6
    ppid: bytes | None = None  # 16

    @property
    def key(self) -> str:
        return f"intel/pckcert/{self.qe_id.hex()}/{self.pce_id.hex()}/{self.cpu_svn.hex()}/{self.pce_svn:04x}"


@dataclass(frozen=True, slots=True)
class AmdChainSubject:
    """ASK (``kind`` VCEK) or ASVK (VLEK) of ``product`` and its ARK."""

    product: SnpProduct
    kind: SigningKey = SigningKey.VCEK

    @property
    def key(self) -> str:
        return f"amd/chain/{self.kind.name.lower()}/{self.product.lower()}"


@dataclass(frozen=True, slots=True)
class AmdCrlSubject:
    """The revocation list of the ARK of ``product``."""

    product: SnpProduct

    @property
    def key(self) -> str:
        return f"amd/crl/{self.product.lower()}"


@dataclass(frozen=True, slots=True)
class VekSubject:
    """The certificate of a VCEK, with ``hwid`` of 64 bytes, 8 from Turin on; or of a VLEK, without one.

    ``tcb`` is the reported TCB, which the certificate is for.
    """

    product: SnpProduct
    tcb: TcbVersion
    hwid: bytes | None

    @property
    def kind(self) -> SigningKey:
        return SigningKey.VLEK if self.hwid is None else SigningKey.VCEK

    @property
    def key(self) -> str:
        chip = "vlek" if self.hwid is None else f"vcek/{self.hwid.hex()}"
        return f"amd/{chip}/{self.product.lower()}/{self.tcb.encode().hex()}"


@dataclass(frozen=True, slots=True)
class HygonChainSubject:
    """HSK and CEK of the chip with ``chip_id``, letters and digits."""

    chip_id: str

    def __post_init__(self) -> None:
        if not _HYGON_CHIP_ID.fullmatch(self.chip_id):
            raise UsageError("a Hygon chip id is 1 to 64 letters and digits", detail="hygon_chip_id")

    @property
    def key(self) -> str:
        return f"hygon/hsk_cek/{self.chip_id}"


Subject = (
    TcbInfoSubject
    | IdentitySubject
    | PckCrlSubject
    | RootCaCrlSubject
    | PckCertificateSubject
    | AmdChainSubject
    | AmdCrlSubject
    | VekSubject
    | HygonChainSubject
)


def parse_subject(key: str) -> Subject:
    """The subject whose ``key`` it is.

    Raises:
        FormatError: no subject has it.
    """
    for prefix, read in _READERS.items():
        if key == prefix or key.startswith(f"{prefix}/"):
            words = key[len(prefix) + 1 :].split("/") if key != prefix else []
            try:
                subject = read(words)
            except (ValueError, LookupError, UsageError, FormatError):
                break
            if subject.key == key:
                return subject
            break
    raise FormatError(f"{key!a:.120} is no subject", what="endorsement", field="subject", detail="subject")


def _update(word: str) -> Update:
    if word == "standard":
        return "standard"
    if word == "early":
        return "early"
    raise ValueError


def _tcb_info(words: Sequence[str]) -> Subject:
    tee, fmspc, update = words
    if tee not in ("sgx", "tdx") or len(fmspc) != 12:
        raise ValueError
    return TcbInfoSubject(tee, bytes.fromhex(fmspc), _update(update))


def _identity(words: Sequence[str]) -> Subject:
    name, update = words
    return IdentitySubject({"qe": "QE", "td_qe": "TD_QE", "qve": "QVE"}[name], _update(update))


def _pck_crl(words: Sequence[str]) -> Subject:
    (ca,) = words
    if ca not in ("platform", "processor"):
        raise ValueError
    return PckCrlSubject(ca)


def _root_ca_crl(words: Sequence[str]) -> Subject:
    if words:
        raise ValueError
    return RootCaCrlSubject()


def _pck_certificate(words: Sequence[str]) -> Subject:
    qe_id, pce_id, cpu_svn, pce_svn = map(bytes.fromhex, words)
    if (len(qe_id), len(pce_id), len(cpu_svn), len(pce_svn)) != (16, 2, 16, 2):
        raise ValueError
    return PckCertificateSubject(qe_id, pce_id, cpu_svn, int.from_bytes(pce_svn, "big"))


def _amd_chain(words: Sequence[str]) -> Subject:
    kind, product = words
    return AmdChainSubject(_product(product), _KINDS[kind])


def _amd_crl(words: Sequence[str]) -> Subject:
    (product,) = words
    return AmdCrlSubject(_product(product))


def _vcek(words: Sequence[str]) -> Subject:
    hwid, product, tcb = words
    return _vek(product, tcb, bytes.fromhex(hwid))


def _vlek(words: Sequence[str]) -> Subject:
    product, tcb = words
    return _vek(product, tcb, None)


def _vek(name: str, tcb: str, hwid: bytes | None) -> Subject:
    product = _product(name)
    if hwid is not None and len(hwid) != (8 if product.has_fmc else 64):
        raise ValueError
    levels = bytes.fromhex(tcb)
    if len(levels) != TCB_BYTES:
        raise ValueError
    version = parse_tcb_version(levels, has_fmc=product.has_fmc, field="subject", offset=0)
    return VekSubject(product, version, hwid)


def _hygon_chain(words: Sequence[str]) -> Subject:
    (chip_id,) = words
    return HygonChainSubject(chip_id)


def _product(word: str) -> SnpProduct:
    return SnpProduct(word.capitalize())


_KINDS = {"vcek": SigningKey.VCEK, "vlek": SigningKey.VLEK}
_READERS: Mapping[str, Callable[[Sequence[str]], Subject]] = {
    "intel/tcb": _tcb_info,
    "intel/identity": _identity,
    "intel/pckcrl": _pck_crl,
    "intel/rootcacrl": _root_ca_crl,
    "intel/pckcert": _pck_certificate,
    "amd/chain": _amd_chain,
    "amd/crl": _amd_crl,
    "amd/vcek": _vcek,
    "amd/vlek": _vlek,
    "hygon/hsk_cek": _hygon_chain,
}
