"""The TLS settings of attested channels, on pyOpenSSL: one context per role and certificate.

TLS 1.3 only; no tickets, no resumption, no early data, no renegotiation, no compression [RFC8446 §4.6.1].
The certificate is self-signed, and whom it belongs to is not decided here: the callback lets pass that
its issuer is unknown and nothing else, and looks at no evidence.
"""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL, crypto

from eaa.errors import RemoteProtocolError
from eaa.tls.gate import ALPN
from eaa.tls.peer import Profile, Role

__all__ = ["make_context"]

# X509_V_ERR_…: self-signed leaf; issuer not found locally; leaf signature not verified for want of it.
_UNKNOWN_ISSUER = frozenset({18, 20, 21})
#: SSL_MODE_ENABLE_PARTIAL_WRITE: a call for each record, each of which gives up the interpreter lock.
_ENABLE_PARTIAL_WRITE = 1
_OPTIONS = SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION


def make_context(
    role: Role,
    profile: Profile,
    *,
    certificate: bytes | None,
    key: ec.EllipticCurvePrivateKey,
    demand_certificate: bool,
) -> SSL.Context:
    """A context for ``role``.

    Args:
        role: which end.
        profile: ``exporter-v1`` has an ALPN name and insists on it, ``ratls-cert`` has none.
        certificate: own leaf in DER, ``None`` for a client that shows none.
        key: of the certificate.
        demand_certificate: whether the handshake fails without a certificate of the peer. A server
            always has one.
    """
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.set_max_proto_version(SSL.TLS1_3_VERSION)
    context.set_options(_OPTIONS)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.clear_mode(_ENABLE_PARTIAL_WRITE)
    required = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT
    context.set_verify(required if demand_certificate else SSL.VERIFY_NONE, _issuer_may_be_unknown)
    if certificate is not None:
        context.use_certificate(x509.load_der_x509_certificate(certificate))
        context.use_privatekey(key)
        context.check_privatekey()
    if profile is Profile.EXPORTER_V1 and role is Role.CLIENT:
        context.set_alpn_protos([ALPN])
    if role is Role.SERVER:
        context.set_alpn_select_callback(_select_gate if profile is Profile.EXPORTER_V1 else _select_none)
    return context


def _issuer_may_be_unknown(
    _connection: SSL.Connection, _certificate: crypto.X509, error: int, depth: int, ok: int
) -> bool:
    return bool(ok) or (depth == 0 and error in _UNKNOWN_ISSUER)


def _select_gate(_connection: SSL.Connection, offered: list[bytes]) -> bytes:
    if ALPN not in offered:
        raise RemoteProtocolError("the client does not offer the gate", detail="alpn")
    return ALPN


def _select_none(_connection: SSL.Connection, offered: list[bytes]) -> Any:
    if ALPN in offered:
        raise RemoteProtocolError("the client wants the gate, which ratls-cert has not", detail="alpn")
    return SSL.NO_OVERLAPPING_PROTOCOLS
