"""PCS, PCCS and KDS as they answer, fed by the simulated vendors: one function from request to reply each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import quote

from eaa.attester.simulated.amd_guest import SimulatedSnpGuest
from eaa.codec.pem import encode_pem
from eaa.endorsements.collateral import IntelCollateral, SignedDocument
from eaa.endorsements.tcb_info import parse_tcb_info
from eaa.provider.folder import fetched_document
from tests.fakes.upstream_server import Reply, Request

__all__ = ["answer_from", "kds_answers", "pccs_answers", "pcs_answers"]

Answers = Mapping[str, Reply]
_JSON = "application/json"


def pcs_answers(*collaterals: IntelCollateral) -> dict[str, Reply]:
    """What PCS and Intel's certificate server have, by path and, where it counts, ``?fmspc=`` or ``?ca=``."""
    answers: dict[str, Reply] = {}
    for collateral in collaterals:
        assert collateral.tcb_info is not None
        assert collateral.qe_identity is not None
        assert collateral.pck_crl is not None
        assert collateral.pck_crl_issuer_chain is not None
        info = parse_tcb_info(collateral.tcb_info.body)
        base = f"/{info.tee}/certification/v4"
        chain_name = "TCB-Info-Issuer-Chain"
        answers[f"{base}/tcb?fmspc={info.fmspc.hex()}"] = _document(
            collateral.tcb_info, "tcbInfo", chain_name
        )
        answers[f"{base}/qe/identity"] = _document(
            collateral.qe_identity, "enclaveIdentity", "SGX-Enclave-Identity-Issuer-Chain"
        )
        ca = "platform" if b"Platform" in collateral.pck_crl else "processor"
        answers[f"/sgx/certification/v4/pckcrl?ca={ca}"] = Reply(
            headers={
                "Content-Type": "application/pkix-crl",
                "SGX-PCK-CRL-Issuer-Chain": quote(collateral.pck_crl_issuer_chain.decode(), safe=""),
            },
            body=collateral.pck_crl,
        )
        answers["/IntelSGXRootCA.der"] = Reply(
            headers={"Content-Type": "application/pkix-crl"}, body=collateral.root_ca_crl or b""
        )
    return answers


def pccs_answers(*collaterals: IntelCollateral) -> dict[str, Reply]:
    """What a PCCS has: lists in hexadecimal under the types that Intel's gives them."""
    answers = pcs_answers(*collaterals)
    root = answers.pop("/IntelSGXRootCA.der")
    answers["/sgx/certification/v4/rootcacrl"] = _hexadecimal(root, "application/pkix-crl; charset=utf-8")
    for name, reply in answers.items():
        if "pckcrl" in name:
            answers[name] = _hexadecimal(reply, "application/x-pem-file; charset=utf-8")
    return answers


def kds_answers(guest: SimulatedSnpGuest) -> dict[str, Reply]:
    """What KDS has for the platform of ``guest``; VCEK certificates by path alone."""
    platform = guest.platform
    vendor, product = platform.vendor, platform.vendor.product
    der = {"Content-Type": "application/octet-stream"}
    pem = {"Content-Type": "application/x-pem-file"}
    hwid = platform.vcek.hwid or b""
    return {
        f"/vcek/v1/{product}/{hwid.hex()}": Reply(headers=der, body=platform.vcek.der),
        f"/vcek/v1/{product}/crl": Reply(headers=der, body=vendor.crl.der),
        f"/vcek/v1/{product}/cert_chain": Reply(
            headers=pem, body=encode_pem(vendor.ask.der) + encode_pem(vendor.ark.der)
        ),
        f"/vlek/v1/{product}/cert_chain": Reply(
            headers=pem, body=encode_pem(vendor.asvk.der) + encode_pem(vendor.ark.der)
        ),
    }


def answer_from(answers: Answers) -> Callable[[Request], Reply]:
    """A server's answers from ``answers``, which may change meanwhile; others are 404."""

    def answer(request: Request) -> Reply:
        names = [
            request.path,
            *(f"{request.path}?{name}={request.query.get(name)}" for name in ("fmspc", "ca")),
        ]
        found = next((answers[name] for name in names if name in answers), None)
        return found or Reply(404, {"Content-Type": "text/html", "Request-ID": "a1b2"}, b"No such data.")

    return answer


def _document(document: SignedDocument, member: str, header: str) -> Reply:
    chain = quote(document.issuer_chain.decode(), safe="")
    return Reply(headers={"Content-Type": _JSON, header: chain}, body=fetched_document(document, member).body)


def _hexadecimal(reply: Reply, media_type: str) -> Reply:
    return Reply(headers={**reply.headers, "Content-Type": media_type}, body=reply.body.hex().encode())
