"""A certificate authority for keys that sign attestation results, and tokens made wrong on purpose."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from eaa.broker.records import ServiceKey

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
YEAR = timedelta(days=365)


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """A root; :meth:`issue` makes keys with certificates below it."""

    def __init__(self, common_name: str = "root") -> None:
        self.name, self.key = name(common_name), ec.generate_private_key(ec.SECP256R1())
        self.certificate = self.certify(self.key.public_key(), common_name, ca=True)

    def certify(
        self,
        key: Any,
        common_name: str,
        *,
        ca: bool = False,
        path_length: int | None = None,
        usage: x509.KeyUsage | None = None,
        begins: datetime = NOW - YEAR,
        ends: datetime = NOW + YEAR,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(common_name))
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca, path_length), critical=True)
        )
        if usage is not None:
            builder = builder.add_extension(usage, critical=True)
        return builder.sign(self.key, hashes.SHA256())

    def below(self, common_name: str, **certified: Any) -> Authority:
        """An intermediate authority, certified as :meth:`certify` does."""
        made = Authority.__new__(Authority)
        made.name, made.key = name(common_name), ec.generate_private_key(ec.SECP256R1())
        made.certificate = self.certify(made.key.public_key(), common_name, ca=True, **certified)
        return made


def service_key(
    kid: str, private: ec.EllipticCurvePrivateKey, *chain: x509.Certificate, purpose: str = "token"
) -> ServiceKey:
    der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    chain_der = tuple(item.public_bytes(Encoding.DER) for item in chain)
    return ServiceKey(purpose, kid, der, chain_der, NOW, NOW + YEAR)


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign_by_hand(
    header: Mapping[str, Any], claims: bytes | Mapping[str, Any], key: ec.EllipticCurvePrivateKey
) -> str:
    """A compact JWS with nothing but ``cryptography`` [RFC7515 §7.1]."""
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    signed = f"{b64url(json.dumps(header).encode())}.{b64url(payload)}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{b64url(r.to_bytes(32) + s.to_bytes(32))}"
