"""Attacks on the workload's channel: certificates that were copied, and a TLS key that was stolen.

All in this process, over the code that real connections go through, without sockets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from eaa.appraisal.alternatives import by_measurement
from eaa.appraisal.policy import Policy
from eaa.appraisal.reference_values import ReferenceValues
from eaa.appraisal.result import AttestationResult
from eaa.attester.simulated_attester import StoredSimulatedAttester
from eaa.attester.simulated_store import SimulatedStore
from eaa.cli.demo_cases import ACCEPTED, Shown
from eaa.cli.demo_flow_ends import End, Relay, connect
from eaa.errors import EAAError, outcome_of
from eaa.tls.claims import encode_claims, hash_report_data
from eaa.tls.mint import mint_certificate, public_key_info
from eaa.tls.peer import Profile, Role
from eaa.tls.verifiers import make_verifier
from eaa.transport.channel import Credentials
from eaa.transport.config import ChannelConfig
from eaa.transport.context import make_context
from eaa.verify.dcap import Memo

__all__ = ["Outcome", "attacks"]

_LIFE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one part of the demo, and the code that should have."""

    title: str
    expected: str
    shown: Shown


def attacks(store: SimulatedStore, mr_enclave: bytes) -> Iterator[Outcome]:
    """Each attack's outcome. The workload's code is ``mr_enclave``, its vendor that of ``store``."""
    scene = _Scene(store, mr_enclave)
    for title, expected, attack, meaning in (
        ("old certificate", "remote_protocol.tls", scene.old_certificate, _EXPIRED),
        ("copied evidence", "binding.pubkey_hash", scene.copied_evidence, _COPIED),
        ("key, ratls-cert", ACCEPTED, scene.stolen_key_by_certificate, _KNOWN_WEAKNESS),
        ("key, exporter-v1", "binding.report_data", scene.stolen_key_by_exporter, _OTHER_CONNECTION),
    ):
        yield Outcome(title, expected, _shown(attack, meaning))


def _shown(attack: Callable[[], AttestationResult], meaning: str) -> Shown:
    try:
        attack()
    except EAAError as error:
        verdict = outcome_of(error).verdict
        # An error is what the end of a connection is; here it is a refusal.
        return Shown("rejected" if verdict == "error" else verdict, error.code, _short(f"{meaning}: {error}"))
    return Shown(ACCEPTED, ACCEPTED, meaning)


def _short(text: str) -> str:
    """``text`` with the beginning of each long value only."""
    return _LONG_HEX.sub(r"\1…", text)


_LONG_HEX = re.compile(r"\b([0-9a-f]{16})[0-9a-f]{48,}\b")
_EXPIRED = "replayed after its five minutes"
_COPIED = "the workload's evidence in a certificate for the thief's key"
_OTHER_CONNECTION = "a relay with the workload's TLS key; the workload's answer is of another connection"
_KNOWN_WEAKNESS = (
    "a relay with the workload's TLS key and certificate passes: ratls-cert is bound to the key alone; "
    "it is for interoperation, and not the default"
)


class _Scene:
    """A workload, what a thief has of it, and a client that expects it."""

    def __init__(self, store: SimulatedStore, mr_enclave: bytes) -> None:
        self._now = datetime.now(UTC).replace(microsecond=0)
        self._workload = StoredSimulatedAttester(
            "simulated", "sgx", store=store, now=lambda: datetime.now(UTC),
            fields={"mr_enclave": mr_enclave}, debug=False,
        )  # fmt: skip
        self._verifier = make_verifier(
            "simulated",
            policy=Policy(reference_values=ReferenceValues((by_measurement("sgx", mr_enclave),))),
            pool=None,
            trust_anchors=[store.trust_anchor(now=self._now)],
            memo=Memo(64),
            allow_null=False,
        )
        self._key = ec.generate_private_key(ec.SECP256R1())

    def old_certificate(self) -> AttestationResult:
        """Recorded with its key once, shown again after its five minutes."""
        certificate = self._certificate(self._now - 2 * _LIFE)
        return self._shown_certificate(certificate, self._key)

    def copied_evidence(self) -> AttestationResult:
        """The extensions of the workload's certificate, in one for the thief's own key."""
        genuine = x509.load_der_x509_certificate(self._certificate(self._now))
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            x509.CertificateBuilder()
            .subject_name(genuine.subject)
            .issuer_name(genuine.issuer)
            .public_key(key.public_key())
            .serial_number(genuine.serial_number)
            .not_valid_before(genuine.not_valid_before_utc)
            .not_valid_after(genuine.not_valid_after_utc)
        )
        for extension in genuine.extensions:
            if isinstance(extension.value, x509.UnrecognizedExtension):
                builder = builder.add_extension(extension.value, critical=False)
        return self._shown_certificate(builder.sign(key, SHA256()).public_bytes(Encoding.DER), key)

    def stolen_key_by_certificate(self) -> AttestationResult:
        """Key and certificate of the workload, on a machine without its hardware."""
        return self._shown_certificate(self._certificate(self._now), self._key)

    def stolen_key_by_exporter(self) -> AttestationResult:
        """The same thief has the workload itself answer for the client's connection."""
        profile = Profile.EXPORTER_V1
        workload = End(Role.SERVER, self._config(profile), self._credentials(profile, self._key))
        own = _anonymous(profile)
        relay = Relay(self._credentials(profile, self._key), own, profile, workload)
        return connect(End(Role.CLIENT, self._config(profile)), relay)

    def _shown_certificate(self, certificate: bytes, key: ec.EllipticCurvePrivateKey) -> AttestationResult:
        profile = Profile.RATLS_CERT
        thief = End(Role.SERVER, self._config(profile), _credentials(profile, key, certificate))
        return connect(End(Role.CLIENT, self._config(profile)), thief)

    def _config(self, profile: Profile) -> ChannelConfig:
        return ChannelConfig(attester=self._workload, verifier=self._verifier, profile=profile)

    def _credentials(self, profile: Profile, key: ec.EllipticCurvePrivateKey) -> Credentials:
        return _credentials(profile, key, self._certificate(self._now))

    def _certificate(self, not_before: datetime) -> bytes:
        claims = encode_claims(spki=public_key_info(self._key), nonce=None)
        attached = self._workload.collect(hash_report_data(claims))
        return mint_certificate(
            self._key, attached, claims, not_before=not_before, not_after=not_before + _LIFE
        )  # fmt: skip


def _anonymous(profile: Profile) -> Credentials:
    """Of a client that shows no certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    context = make_context(Role.CLIENT, profile, certificate=None, key=key, demand_certificate=True)
    return Credentials(context, b"")


def _credentials(profile: Profile, key: ec.EllipticCurvePrivateKey, certificate: bytes) -> Credentials:
    context = make_context(
        Role.SERVER, profile, certificate=certificate, key=key, demand_certificate=False
    )  # fmt: skip
    return Credentials(context, public_key_info(key))
