"""What evidence is bound to, each refused where only that is wrong; and what ``ratls-cert`` does not bind."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from eaa.errors import BindingError, FormatError, RemoteProtocolError
from eaa.tls.attached import encode_attached
from eaa.tls.claims import encode_claims, hash_report_data
from eaa.tls.frames import FrameType
from eaa.tls.mint import mint_certificate, public_key_info
from eaa.tls.peer import AttachedEvidence, Profile, Role
from eaa.transport.blocking import connect
from eaa.transport.config import ChannelConfig, utc_now
from eaa.transport.context import make_context
from eaa.transport.endpoint import endpoint_of
from tests.fakes.channel import FakeAttester, both_ends, client_config, server_config
from tests.fakes.loopback import Loopback
from tests.fakes.raw_peer import RawPeer, certificate_of, connect_raw, own_certificate, raw_server
from tests.fakes.relay import Relay


def stolen_key(config: ChannelConfig) -> ec.EllipticCurvePrivateKey:
    """The key of the server of ``config``, out of its memory."""
    endpoint_of(config).credentials(Role.SERVER).result(10)
    return endpoint_of(config)._identities[Role.SERVER]._key


def served_certificate(address: str, profile: Profile) -> bytes:
    with connect_raw(address, profile=profile) as peer:
        return peer.handshake().engine.peer_certificate()


def test_a_relay_with_the_stolen_key_passes_ratls_cert() -> None:
    # This is what the profile is documented not to prevent.
    profile = Profile.RATLS_CERT
    config = server_config(profile)
    with Loopback(config) as server:
        certificate = served_certificate(server.address, profile)
        with (
            Relay(server.address, profile=profile, key=stolen_key(config), certificate=certificate) as relay,
            connect(relay.address, client_config(profile)) as channel,
        ):
            assert channel.peer.proven
            channel.send(b"secret")
            assert channel.recv() == b"SECRET"
            assert b"secret" in relay.seen


def test_a_relay_with_the_stolen_key_is_refused_by_exporter_v1() -> None:
    profile = Profile.EXPORTER_V1
    config = server_config(profile)
    with Loopback(config) as server:
        certificate = served_certificate(server.address, profile)
        with Relay(server.address, profile=profile, key=stolen_key(config), certificate=certificate) as relay:
            with pytest.raises(BindingError) as caught:
                connect(relay.address, client_config(profile))
            assert caught.value.code == "binding.report_data"
            assert not server.received
            # The evidence went through the relay: what refused it is its binding.
            assert b"\x01\x09sgx_quote" in relay.seen


def gate_with(attester: FakeAttester, flip: int | None = None, **changes: Any) -> Any:
    """A server whose evidence is bound to claims with ``changes``, or to report data with one bit flipped."""

    def step(peer: RawPeer) -> None:
        peer.say_hello(demands=False, provides=True)
        peer.frame(FrameType.ACCEPT)
        report_data = bytearray(peer.report_data(**changes))
        if flip is not None:
            report_data[flip] ^= 1
        peer.frame(FrameType.EVIDENCE, encode_attached(attester.collect(bytes(report_data))))
        peer.expect(FrameType.ACCEPT)
        peer.frame(FrameType.DATA, b"hello")
        peer.read()

    return step


def test_evidence_bound_to_the_right_claims_is_accepted() -> None:
    with (
        raw_server(gate_with(FakeAttester()), **own_certificate()) as address,
        connect(address, client_config()) as channel,
    ):
        assert channel.peer.proven
        assert channel.recv() == b"hello"


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"role": Role.CLIENT}, id="role"),
        pytest.param({"profile": "relayed-v1"}, id="profile"),
        pytest.param({"nonce": bytes(31) + b"\1"}, id="nonce of another exchange"),
        pytest.param({"binder": bytes(32)}, id="binder of another connection"),
        pytest.param({"spki": b"another key"}, id="key"),
        pytest.param({"flip": 0}, id="first byte"),
        pytest.param({"flip": 63}, id="last byte"),
    ],
)
def test_evidence_bound_to_anything_else_is_refused(wrong: dict[str, Any]) -> None:
    with raw_server(gate_with(FakeAttester(), **wrong), **own_certificate()) as address:
        with pytest.raises(BindingError) as caught:
            connect(address, client_config())
        assert caught.value.code == "binding.report_data"


class Replaying(FakeAttester):
    """Shows the first evidence it ever made, again and again."""

    def collect(self, report_data: bytes) -> AttachedEvidence:
        self.first = getattr(self, "first", None) or super().collect(report_data)
        return self.first


def test_evidence_replayed_on_another_connection_is_refused() -> None:
    client = client_config()
    with Loopback(server_config(attester=Replaying())) as server:
        connect(server.address, client).close()
        with pytest.raises(BindingError) as caught:
            connect(server.address, client)
        assert caught.value.code == "binding.report_data"


def test_reflected_evidence_is_refused() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    with (
        Loopback(both_ends()) as server,
        connect_raw(server.address, key=key, certificate=certificate_of(key)) as peer,
    ):
        peer.handshake().say_hello(demands=True, provides=True)
        peer.frame(FrameType.EVIDENCE, peer.expect(FrameType.EVIDENCE))
        assert peer.refusal() == "binding.evidence_reflected"
        assert not server.streams


def test_a_reflected_nonce_is_refused() -> None:
    with Loopback(server_config()) as server, connect_raw(server.address) as peer:
        peer.handshake()
        peer.frame(FrameType.HELLO, peer.expect(FrameType.HELLO))
        assert peer.refusal() == "binding.nonce_reflected"


def test_the_own_key_is_refused() -> None:
    config = both_ends()
    key = stolen_key(config)
    with (
        Loopback(config) as server,
        connect_raw(server.address, key=key, certificate=certificate_of(key)) as peer,
    ):
        peer.handshake()
        assert peer.read() == b""
        assert not server.streams


def evident(key: ec.EllipticCurvePrivateKey, of: ec.EllipticCurvePrivateKey, tail: int = 0) -> bytes:
    """A certificate of ``key`` whose evidence is bound to the key ``of``."""
    claims = encode_claims(spki=public_key_info(key), nonce=None)
    bound = encode_claims(spki=public_key_info(of), nonce=None)
    report_data = hash_report_data(bound)[:-1] + bytes((tail,))
    now = utc_now()
    return mint_certificate(
        key, FakeAttester().collect(report_data), claims, not_before=now, not_after=now + timedelta(minutes=1)
    )


def ratls_server(certificate: bytes, key: ec.EllipticCurvePrivateKey) -> Any:
    return raw_server(lambda peer: peer.read(), profile=Profile.RATLS_CERT, key=key, certificate=certificate)


def test_a_certificate_with_its_own_evidence_is_accepted() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    with ratls_server(evident(key, key), key) as address:
        channel = connect(address, client_config(Profile.RATLS_CERT))
        assert channel.peer.proven
        channel.close()


@pytest.mark.parametrize("case", ["another key's evidence", "report data with a tail"])
def test_a_certificate_with_other_evidence_is_refused(case: str) -> None:
    key, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    certificate = evident(key, key, tail=1) if "tail" in case else evident(key, other)
    with ratls_server(certificate, key) as address:
        with pytest.raises(BindingError) as caught:
            connect(address, client_config(Profile.RATLS_CERT))
        assert caught.value.code == "binding.report_data"


def test_a_certificate_without_evidence_is_refused_by_ratls_cert() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    with ratls_server(certificate_of(key), key) as address:
        with pytest.raises(FormatError) as caught:
            connect(address, client_config(Profile.RATLS_CERT))
        assert caught.value.code == "format.no_evidence"


def test_a_certificate_cannot_be_shown_without_its_key() -> None:
    key, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    with pytest.raises(SSL.Error):
        make_context(
            Role.SERVER, Profile.RATLS_CERT, certificate=certificate_of(key), key=other,
            demand_certificate=False,
        )  # fmt: skip


def test_a_peer_that_provides_no_evidence_is_refused() -> None:
    def step(peer: RawPeer) -> None:
        peer.say_hello(demands=False, provides=False)

    with raw_server(step, **own_certificate()) as address:
        with pytest.raises(RemoteProtocolError) as caught:
            connect(address, client_config())
        assert caught.value.code == "remote_protocol.evidence_withheld"
