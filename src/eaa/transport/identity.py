"""What an end authenticates itself with: a key that never leaves the process, and certificates for it.

Under ``ratls-cert`` the certificate carries evidence, is valid for five minutes and replaced after two
thirds of them. Under ``exporter-v1`` it only carries the key, evidence follows through the gate.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from eaa.tls.claims import encode_claims, hash_report_data
from eaa.tls.mint import mint_certificate, public_key_info
from eaa.tls.peer import AttachedEvidence, Profile, Role
from eaa.transport.channel import Credentials
from eaa.transport.config import ChannelConfig
from eaa.transport.context import make_context

__all__ = ["Identity", "plain_certificate"]

Collect = Callable[[bytes], AttachedEvidence]

_LOG = logging.getLogger("eaa.transport")
#: Before now, so that a peer whose clock is behind takes the certificate; and from then on.
_EVIDENCE_SKEW, _EVIDENCE_LIFE = timedelta(minutes=1), timedelta(minutes=5)
_PLAIN_SKEW, _PLAIN_LIFE = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Issue:
    credentials: Credentials
    renew_at: datetime
    not_after: datetime


class Identity:
    """One end's key and its current certificate. Thread-safe.

    Args:
        role: client and server have a key each: an end that meets its own key refuses it.
        config: of the channel.
        collect: evidence for report data; may take a second, and is called in ``executor`` only.
        executor: whose threads make certificates.
    """

    def __init__(self, role: Role, config: ChannelConfig, collect: Collect, executor: Executor) -> None:
        self._role, self._config = role, config
        self._collect, self._executor = collect, executor
        self._terms = config.terms(role)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._spki = public_key_info(self._key)
        self._lock = threading.Lock()
        self._issue: _Issue | None = None
        self._pending: Future[Credentials] | None = None

    def credentials(self) -> Future[Credentials]:
        """What to authenticate with now; the future is shared and must not be cancelled.

        A certificate that is due is replaced in the background while it is still valid.

        Raises, through the future:
            AttesterError: evidence could not be collected.
        """
        now = self._config.clock()
        with self._lock:
            issue = self._issue
            if issue is not None and now < issue.renew_at:
                return _done(issue.credentials)
            if self._pending is None:
                self._pending = Future()
                self._executor.submit(self._renew, self._pending)
            if issue is not None and now < issue.not_after:
                return _done(issue.credentials)
            return self._pending

    def _renew(self, future: Future[Credentials]) -> None:
        try:
            issue = self._make(self._config.clock())
        except BaseException as error:
            with self._lock:
                self._pending = None
                unseen = self._issue is not None and self._config.clock() < self._issue.not_after
            if unseen:
                _LOG.warning("the certificate could not be renewed: %s", str(error))
            future.set_exception(error)
        else:
            with self._lock:
                self._issue, self._pending = issue, None
            future.set_result(issue.credentials)

    def _make(self, now: datetime) -> _Issue:
        evident = self._config.profile is Profile.RATLS_CERT and self._terms.provides
        skew, life = (_EVIDENCE_SKEW, _EVIDENCE_LIFE) if evident else (_PLAIN_SKEW, _PLAIN_LIFE)
        not_before = now.replace(microsecond=0) - skew
        not_after = not_before + life
        shown = self._role is Role.SERVER or self._config.mutual
        certificate = None
        if shown:
            certificate = (
                self._with_evidence(not_before, not_after)
                if evident
                else plain_certificate(self._key, not_before=not_before, not_after=not_after)
            )
        context = make_context(
            self._role,
            self._config.profile,
            certificate=certificate,
            key=self._key,
            demand_certificate=self._role is Role.CLIENT or self._config.mutual,
        )
        credentials = Credentials(context, self._spki if shown else b"")
        return _Issue(credentials, not_before + life * 2 / 3, not_after)

    def _with_evidence(self, not_before: datetime, not_after: datetime) -> bytes:
        claims = encode_claims(spki=self._spki, nonce=None)
        attached = self._collect(hash_report_data(claims))
        return mint_certificate(self._key, attached, claims, not_before=not_before, not_after=not_after)


def plain_certificate(key: ec.EllipticCurvePrivateKey, *, not_before: datetime, not_after: datetime) -> bytes:
    """A self-signed certificate for ``key`` that carries nothing else, in DER."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "EAA attested channel")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    return builder.sign(key, SHA256()).public_bytes(Encoding.DER)


def _done(credentials: Credentials) -> Future[Credentials]:
    future: Future[Credentials] = Future()
    future.set_result(credentials)
    return future
