"""Seeded changes to a case that somebody could make on the way to a verifier."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from eaa.endorsements.collateral import IntelCollateral, SignedDocument
from eaa.endorsements.crl import parse_crl
from eaa.endorsements.enclave_identity import parse_enclave_identity
from eaa.endorsements.roots import INTEL_SGX_ROOTS
from eaa.endorsements.tcb_info import parse_tcb_info
from eaa.evidence.dcap_quote import (
    CertificationData,
    CertificationType,
    parse_certification,
    parse_quote_frame,
)
from tests.interop.dcap_qvl_peer import Case

__all__ = ["KINDS", "mutate"]

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_BOUNDARY = b"-----END CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class _Source:
    random: Random
    other: Case  # another case, to take parts from


Mutation = Callable[[Case, _Source], Case]


def mutate(case: Case, other: Case, kind: str, seed: int) -> Case:
    """``case`` with one change of ``kind``; the same seed makes the same one."""
    return KINDS[kind](case, _Source(Random(f"{kind} {seed}"), other))  # noqa: S311 - repeatable


# Quotes.


def _regions(quote: bytes) -> dict[str, range]:
    frame = parse_quote_frame(quote)
    end = len(frame.signed)
    start = 54 if frame.header.version == 5 else 48
    sizes = {"length": 4, "signature": 64, "attestation key": 64}
    if frame.header.version != 3:
        sizes["certification type"] = 6
    sizes |= {"QE report": 384, "QE report signature": 64, "authentication data": 34, "chain type": 6}
    regions = {"header": range(48), "body": range(start, end)}
    if start > 48:
        regions["body descriptor"] = range(48, start)
    for name, size in sizes.items():
        regions[name] = range(end, end + size)
        end += size
    return regions | {"chain": range(end, len(quote))}


def _flip_quote(case: Case, source: _Source) -> Case:
    regions = _regions(case.quote)
    region = source.random.choice(sorted(regions))
    offset = source.random.choice(regions[region])
    return case.but(f"bit of {region} at {offset}", quote=_flipped(case.quote, offset, source.random))


def _cut_quote(case: Case, source: _Source) -> Case:
    length = source.random.randrange(len(case.quote))
    return case.but(f"quote cut to {length}", quote=case.quote[:length])


def _extend_quote(case: Case, source: _Source) -> Case:
    extra = source.random.choice([b"\x00", b"\n", bytes(64), b"-----BEGIN", source.random.randbytes(40)])
    return case.but(f"{len(extra)} bytes after the quote", quote=case.quote + extra)


def _splice_quote(case: Case, source: _Source) -> Case:
    """A region of another quote in the place of this one's."""
    here, there = _regions(case.quote), _regions(source.other.quote)
    region = source.random.choice(sorted(here.keys() & there.keys()))
    one, two = here[region], there[region]
    part = source.other.quote[two.start : two.stop]
    quote = case.quote[: one.start] + part + case.quote[one.stop :]
    return case.but(f"{region} of {source.other.name}", quote=quote)


def _edit_header(case: Case, source: _Source) -> Case:
    offset, size, values = source.random.choice(
        [(0, 2, (2, 3, 4, 5, 6)), (2, 2, (0, 1, 2, 3, 4)), (4, 4, (0, 1, 0x81, 0x82)), (12, 16, (0, 1 << 64))]
    )
    value = source.random.choice(values)
    quote = case.quote[:offset] + value.to_bytes(size, "little") + case.quote[offset + size :]
    return case.but(f"header {offset} is {value}", quote=quote)


def _edit_certification(case: Case, source: _Source) -> Case:
    """Certification data rebuilt with right lengths around other content."""
    frame = parse_quote_frame(case.quote)
    certification = parse_certification(frame)
    chain = certification.data.data
    name, data = source.random.choice(_certification_edits(chain, source))
    kind = source.random.choice([CertificationType.PCK_CHAIN] * 5 + list(CertificationType))
    if source.random.random() < 0.2:
        certification = replace(
            certification, authentication_data=source.random.randbytes(source.random.randrange(64))
        )
        name += ", other authentication data"
    edited = replace(certification, data=CertificationData(kind, data)).encode(frame.header.version)
    return case.but(f"{name}, type {int(kind)}", quote=replace(frame, certification=edited).encode())


def _certification_edits(chain: bytes, source: _Source) -> list[tuple[str, bytes]]:
    other = parse_certification(parse_quote_frame(source.other.quote)).data.data
    return [*_chain_edits(chain, other, source.random), ("no NUL", chain.rstrip(b"\x00"))]


def _malleable_quote(case: Case, source: _Source) -> Case:
    """The other valid signature of the two that ECDSA has for each."""
    frame = parse_quote_frame(case.quote)
    return case.but(
        "quote signature with n - s", quote=replace(frame, signature=_raw_twin(frame.signature)).encode()
    )


# Collateral.

_MEMBERS = (
    "tcb_info.body", "tcb_info.signature", "tcb_info.issuer_chain",
    "qe_identity.body", "qe_identity.signature", "qe_identity.issuer_chain",
    "root_ca_crl", "pck_crl", "pck_crl_issuer_chain",
)  # fmt: skip


def _member(collateral: IntelCollateral, name: str) -> bytes:
    value: object = collateral
    for part in name.split("."):
        value = getattr(value, part)
    assert isinstance(value, bytes)
    return value


def _with(case: Case, what: str, parts: Mapping[str, bytes]) -> Case:
    values = {name: parts.get(name, _member(case.collateral, name)) for name in _MEMBERS}
    documents = [
        SignedDocument(*(values[f"{name}.{part}"] for part in ("body", "signature", "issuer_chain")))
        for name in ("tcb_info", "qe_identity")
    ]
    lists = (values["root_ca_crl"], values["pck_crl"], values["pck_crl_issuer_chain"])
    return case.but(what, collateral=IntelCollateral(documents[0], documents[1], *lists))


def _flip_member(case: Case, source: _Source) -> Case:
    name = source.random.choice(_MEMBERS)
    value = _member(case.collateral, name)
    offset = source.random.randrange(len(value))
    return _with(case, f"bit of {name} at {offset}", {name: _flipped(value, offset, source.random)})


def _cut_member(case: Case, source: _Source) -> Case:
    name = source.random.choice(_MEMBERS)
    value = _member(case.collateral, name)
    length = source.random.randrange(len(value))
    return _with(case, f"{name} cut to {length}", {name: value[:length]})


def _extend_member(case: Case, source: _Source) -> Case:
    name = source.random.choice(_MEMBERS)
    extra = source.random.choice([b"\x00", b"\n", b" ", b"trailing text", bytes(32)])
    value = _member(case.collateral, name)
    value = value + extra if source.random.random() < 0.7 else extra + value
    return _with(case, f"{extra!r} at an end of {name}", {name: value})


def _swap_members(case: Case, source: _Source) -> Case:
    """Members, one to all, of another collateral; often a document with its own signature and chain."""
    groups = [(name,) for name in _MEMBERS] + [
        _MEMBERS,
        _MEMBERS[:3],
        _MEMBERS[3:6],
        _MEMBERS[6:7],
        _MEMBERS[7:],
    ]
    names = source.random.choice(groups)
    parts = {name: _member(source.other.collateral, name) for name in names}
    return _with(case, f"{', '.join(names)} of {source.other.name}", parts)


def _mix_members(case: Case, source: _Source) -> Case:
    """A member in the place of another one."""
    one, two = source.random.sample(_MEMBERS, 2)
    parts = {one: _member(case.collateral, two), two: _member(case.collateral, one)}
    return _with(case, f"{one} and {two} swapped", parts)


def _edit_chain(case: Case, source: _Source) -> Case:
    name = source.random.choice([member for member in _MEMBERS if member.endswith("chain")])
    edits = _chain_edits(
        _member(case.collateral, name), _member(source.other.collateral, name), source.random
    )
    what, value = source.random.choice(edits)
    return _with(case, f"{name}: {what}", {name: value})


def _edit_json(case: Case, source: _Source) -> Case:
    name = source.random.choice(["tcb_info.body", "qe_identity.body"])
    body = _member(case.collateral, name)
    value = json.loads(body)
    level = source.random.choice(value["tcbLevels"])
    edits: list[tuple[str, Callable[[], object]]] = [
        ("status", lambda: level.update(tcbStatus="UpToDate")),
        ("next update", lambda: value.update(nextUpdate="2049-01-01T00:00:00Z")),
        ("version", lambda: value.update(version=source.random.choice([1, 2, 3, 4]))),
        ("no levels", lambda: value.update(tcbLevels=[])),
        ("unknown member", lambda: value.update(extra=1)),
        ("nothing", lambda: None),
        ("advisories", lambda: level.update(advisoryIDs=[])),
    ]
    what, edit = source.random.choice(edits)
    edit()
    separators = source.random.choice([(",", ":"), (", ", ": ")])
    return _with(case, f"{name}: {what}", {name: json.dumps(value, separators=separators).encode()})


def _malleable_collateral(case: Case, source: _Source) -> Case:
    name = source.random.choice(
        [*(member for member in _MEMBERS if member.endswith("signature")), "pck_crl", "root_ca_crl"]
    )
    value = _member(case.collateral, name)
    twin = _raw_twin(value) if name.endswith("signature") else _crl_twin(value)
    return _with(case, f"{name} with n - s", {name: twin})


# Time.


def _shift_time(case: Case, source: _Source) -> Case:
    days = source.random.choice([1, 10, 100, 1000, 4000, 9000])
    seconds = source.random.randrange(-86400 * days, 86400 * days)
    now = case.now + timedelta(seconds=seconds)
    return case.but(f"{seconds} s later", now=now)


def _at_an_edge(case: Case, source: _Source) -> Case:
    """A second around where something begins or ends."""
    collateral = case.collateral
    info = parse_tcb_info(_member(collateral, "tcb_info.body"))
    identity = parse_enclave_identity(_member(collateral, "qe_identity.body"))
    lists = [parse_crl(_member(collateral, name)) for name in ("root_ca_crl", "pck_crl")]
    edges = [info.issue_date, info.next_update, identity.issue_date, identity.next_update]
    edges += [time for crl in lists for time in (crl.this_update, crl.next_update)]
    edge = source.random.choice(edges)
    now = edge + timedelta(seconds=source.random.choice([-1, 0, 1]))
    return case.but(f"at {now:%Y-%m-%dT%H:%M:%SZ}", now=now)


# Shared.


def _chain_edits(chain: bytes, other: bytes, random: Random) -> list[tuple[str, bytes]]:
    certificates = _split(chain)
    others = _split(other)
    shuffled = random.sample(certificates, len(certificates))
    place = random.randrange(len(certificates))
    der = bytearray(_der(certificates[place]))
    der[random.randrange(len(der))] ^= 1 << random.randrange(8)
    replaced = [*certificates[:place], random.choice(others), *certificates[place + 1 :]]
    edited = [*certificates[:place], _pem(bytes(der)), *certificates[place + 1 :]]
    roots = [*certificates[:-1], _pem(random.choice(INTEL_SGX_ROOTS).der)]
    twin = [
        *certificates[:place],
        _pem(_certificate_twin(_der(certificates[place]))),
        *certificates[place + 1 :],
    ]
    lists = {
        "shuffled": shuffled,
        "without one": [*certificates[:place], *certificates[place + 1 :]],
        "without root": certificates[:-1],
        "leaf only": certificates[:1],
        "one twice": [*certificates, certificates[place]],
        "and another one": [*certificates, random.choice(others)],
        "one of another": replaced,
        "one with a bit flipped": edited,
        "another root": roots,
        "a certificate with n - s": twin,
        "empty": [],
    }
    texts = {
        "text before": b"subject=CN=Intel\n" + chain,
        "text between": b"text\n".join(certificates),
        "text after": chain + b"\ntext\n",
        "carriage returns": chain.replace(b"\n", b"\r\n"),
        "no line breaks": b"".join(_pem(_der(item)) for item in certificates),
        "of another": other,
    }
    return [(name, b"".join(items)) for name, items in lists.items()] + list(texts.items())


def _split(chain: bytes) -> list[bytes]:
    return [
        part.lstrip(b"\n\r\x00") + _BOUNDARY + b"\n"
        for part in chain.split(_BOUNDARY)
        if b"-----BEGIN" in part
    ]


def _der(pem: bytes) -> bytes:
    return base64.b64decode(b"".join(line for line in pem.splitlines() if not line.startswith(b"-----")))


def _pem(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(der) + b"\n" + _BOUNDARY + b"\n"


def _raw_twin(signature: bytes) -> bytes:
    s = int.from_bytes(signature[32:], "big")
    return signature[:32] + (P256_ORDER - s).to_bytes(32, "big")


def _crl_twin(der: bytes) -> bytes:
    crl = parse_crl(der)
    return _resigned(der, crl.signature)


def _certificate_twin(der: bytes) -> bytes:
    for start in range(len(der) - 74, len(der) - 64):
        if der[start] == 0x30 and der[start + 1] == len(der) - start - 2:
            return _resigned(der, der[start:])
    return der


def _resigned(der: bytes, signature: bytes) -> bytes:
    """``der``, which ends with ``signature``, with the other valid signature. The outer lengths follow."""
    r, s = decode_dss_signature(signature)
    twin = encode_dss_signature(r, P256_ORDER - s)
    tbs_and_algorithm = der[4 : -len(signature) - 3]
    bits = b"\x03" + bytes([len(twin) + 1]) + b"\x00" + twin
    content = tbs_and_algorithm + bits
    return b"\x30\x82" + len(content).to_bytes(2, "big") + content


def _flipped(data: bytes, offset: int, random: Random) -> bytes:
    return data[:offset] + bytes([data[offset] ^ 1 << random.randrange(8)]) + data[offset + 1 :]


KINDS: Mapping[str, Mutation] = {
    "bit of the quote": _flip_quote,
    "quote cut": _cut_quote,
    "quote extended": _extend_quote,
    "part of another quote": _splice_quote,
    "header field": _edit_header,
    "certification data": _edit_certification,
    "other quote signature": _malleable_quote,
    "bit of the collateral": _flip_member,
    "collateral cut": _cut_member,
    "collateral extended": _extend_member,
    "collateral of another": _swap_members,
    "members swapped": _mix_members,
    "chain": _edit_chain,
    "JSON field": _edit_json,
    "other collateral signature": _malleable_collateral,
    "time": _shift_time,
    "edge of a period": _at_an_edge,
}
