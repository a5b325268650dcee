"""Second looks: what TLS should have refused already is refused again, each alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from OpenSSL import crypto

from eaa.errors import EAAError
from eaa.tls.certificate import CertificateEvidence, read_certificate
from eaa.tls.peer import Profile
from eaa.transport import channel, engine
from eaa.transport.blocking import connect
from tests.fakes.channel import client_config, server_config
from tests.fakes.loopback import Loopback


def of_another_key(der: bytes) -> CertificateEvidence:
    return replace(read_certificate(der), spki=b"another key")


@pytest.mark.parametrize(
    ("code", "module", "name", "value", "profile"),
    [
        ("internal.tls_version", engine, "_TLS13", "TLSv1.4", Profile.EXPORTER_V1),
        ("internal.tls_resumed", engine, "_session_reused", lambda _: True, Profile.EXPORTER_V1),
        ("remote_protocol.peer_key", channel, "read_certificate", of_another_key, Profile.RATLS_CERT),
    ],
)
def test_a_second_look(
    code: str,
    module: object,
    name: str,
    value: object,
    profile: Profile,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Loopback(server_config(profile=profile)) as server:
        connect(server.address, client_config(profile=profile)).close()
        monkeypatch.setattr(module, name, value)
        assert refusal(lambda: connect(server.address, client_config(profile=profile))) == code
        monkeypatch.undo()


def test_a_key_that_is_not_in_the_certificate_as_it_was_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with Loopback(server_config()) as server:
        monkeypatch.setattr(engine, "require_key", lambda spki: None)
        monkeypatch.setattr(crypto, "dump_publickey", lambda *_: b"another encoding")
        assert refusal(lambda: connect(server.address, client_config())) == "remote_protocol.peer_key"
        monkeypatch.undo()


def refusal(work: Callable[[], object]) -> str:
    with pytest.raises(EAAError) as caught:
        work()
    return caught.value.code
