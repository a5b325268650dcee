"""Intel's PCS and certificate server, and AMD's KDS, as they answer, from simulated vendors.

What a test changes in a vendor is in the next answer. ``overrides`` are asked first: an answer of theirs
that is not ``None`` is sent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from eaa.attester.simulated import SimulatedPlatform, SimulatedVendor
from eaa.attester.simulated.amd_guest import SimulatedSnpPlatform
from eaa.attester.simulated.certificates import SimulatedCertificate, chain_pem
from eaa.attester.simulated.documents import SimulatedDocument
from eaa.attester.simulated.pck import SimulatedTcb
from eaa.codec.pem import encode_pem
from tests.fakes.upstream_server import Reply, Request

__all__ = ["EmulatedVendors", "enc_ppid_of", "pck_levels"]

Override = Callable[[Request], Reply | None]


@dataclass
class EmulatedVendors:
    """Platforms are found by their encrypted PPID, :func:`enc_ppid_of`, or by their name as the manifest."""

    vendor: SimulatedVendor
    platforms: list[SimulatedPlatform] = field(default_factory=list)
    amd: list[SimulatedSnpPlatform] = field(default_factory=list)
    overrides: list[Override] = field(default_factory=list)
    early: bool = True
    not_available: set[str] = field(default_factory=set)  # TCBm for which there is no certificate

    def __call__(self, request: Request) -> Reply:
        for override in self.overrides:
            reply = override(request)
            if reply is not None:
                return reply
        return self.genuine(request)

    def genuine(self, request: Request) -> Reply:
        """What the vendor answers."""
        path = request.path
        if request.query.get("update") == "early" and not self.early:
            return _not_found()
        if path == "/IntelSGXRootCA.der":
            return Reply(200, {"Content-Type": "application/pkix-crl"}, self.vendor.root.crl.der)
        if path.startswith(("/sgx/certification/v4/", "/tdx/certification/v4/")):
            return self._pcs(request, path[1:4], path.removeprefix(path[:22]))
        return self._kds(request)

    def _pcs(self, request: Request, tee: str, path: str) -> Reply:
        query = request.query
        if path == "tcb":
            for platform in self.platforms:
                if platform.pck.fmspc.hex().upper() == query.get("fmspc", "").upper():
                    info = platform.tcb_info["sgx" if tee == "sgx" else "tdx"]
                    return _document(info, "tcbInfo", "TCB-Info-Issuer-Chain")
            return _not_found()
        if path in ("qe/identity", "qve/identity"):
            name = {"sgxqe/identity": "QE", "sgxqve/identity": "QVE", "tdxqe/identity": "TD_QE"}[tee + path]
            identity = self.vendor.identities[name]
            return _document(identity, "enclaveIdentity", "SGX-Enclave-Identity-Issuer-Chain")
        if path == "pckcrl":
            authority = self.vendor.authority(query["ca"])
            headers = {
                "Content-Type": "application/pkix-crl",
                "SGX-PCK-CRL-Issuer-Chain": _encoded((authority, self.vendor.root)),
            }
            return Reply(200, headers, authority.crl.der)
        if path == "pckcerts":
            manifest = json.loads(request.body)["platformManifest"] if request.method == "POST" else ""
            ppid = query.get("encrypted_ppid", "")
            for platform in self.platforms:
                if ppid.upper() == enc_ppid_of(platform) or (
                    manifest and bytes.fromhex(manifest) == platform.name.encode()
                ):
                    return self._pck_certificates(platform)
        return _not_found()

    def _pck_certificates(self, platform: SimulatedPlatform) -> Reply:
        items = [
            {"tcb": {}, "tcbm": tcbm, "cert": "Not available" if tcbm in self.not_available else text}
            for tcbm, text in (
                (tcbm, quote(encode_pem(der).decode(), safe="")) for tcbm, der in pck_levels(platform)
            )
        ]
        headers = {
            "Content-Type": "application/json",
            "SGX-FMSPC": platform.pck.fmspc.hex(),
            "SGX-PCK-Certificate-CA-Type": "platform"
            if "Platform" in platform.ca.common_name
            else "processor",
            "SGX-PCK-Certificate-Issuer-Chain": _encoded((platform.ca, self.vendor.root)),
        }
        return Reply(200, headers, json.dumps(items).encode())

    def _kds(self, request: Request) -> Reply:
        der = {"Content-Type": "application/octet-stream"}
        for platform in self.amd:
            vendor = platform.vendor
            base = f"/v1/{vendor.product}"
            hwid = (platform.vcek.hwid or b"").hex()
            if request.path == f"/vcek{base}/{hwid}":
                return Reply(200, der, platform.vcek.der)
            for kind, issuer in (("vcek", vendor.ask), ("vlek", vendor.asvk)):
                if request.path == f"/{kind}{base}/cert_chain":
                    text = encode_pem(issuer.der) + encode_pem(vendor.ark.der)
                    return Reply(200, {"Content-Type": "application/x-pem-file"}, text)
                if request.path == f"/{kind}{base}/crl":
                    return Reply(200, der, vendor.crl.der)
        return _not_found()


def enc_ppid_of(platform: SimulatedPlatform) -> str:
    """What the emulated PCS knows the platform by: 768 digits."""
    return (platform.pck.ppid * 24).hex().upper()


def pck_levels(platform: SimulatedPlatform) -> list[tuple[str, bytes]]:
    """TCBm and certificate, DER, for each published level of the platform, the latest first."""
    own, found = platform.pck.tcb, []
    for level in platform.tcb_info["sgx"].levels:
        platform.pck.tcb = SimulatedTcb(
            cpu_svn=level.sgx_components, sgx_components=level.sgx_components, pce_svn=level.pce_svn
        )
        tcbm = level.sgx_components + level.pce_svn.to_bytes(2, "little")
        found.append((tcbm.hex().upper(), platform.pck.der))
    platform.pck.tcb = own
    return found


def _document(document: SimulatedDocument, member: str, header: str) -> Reply:
    signed = document.sign()
    body = b'{"%b":%b,"signature":"%b"}' % (member.encode(), signed.body, signed.signature.hex().encode())
    chain = quote(signed.issuer_chain.decode(), safe="")
    return Reply(200, {"Content-Type": "application/json", header: chain}, body)


def _encoded(chain: Sequence[SimulatedCertificate]) -> str:
    return quote(chain_pem(chain).decode(), safe="")


def _not_found() -> Reply:
    return Reply(404, {"Content-Type": "text/plain", "Request-ID": "a1b2"}, b"")
