from __future__ import annotations

from typing import Any

import pytest

from eaa.errors import ConfigError
from eaa.tls.gate_state import Terms
from eaa.tls.peer import Profile, Role
from eaa.transport.config import ChannelConfig
from eaa.transport.endpoint import endpoint_of
from tests.fakes.channel import FakeAttester, FakeVerifier, both_ends, client_config, server_config


def test_terms() -> None:
    assert server_config().terms(Role.SERVER) == Terms(demands=False, provides=True)
    assert client_config().terms(Role.CLIENT) == Terms(demands=True, provides=False)
    assert both_ends().terms(Role.CLIENT) == both_ends().terms(Role.SERVER) == Terms(True, True)


def test_null_instances_demand_and_provide_nothing() -> None:
    config = both_ends(attester=FakeAttester(name="nullattester"), verifier=FakeVerifier(name="nullverifier"))
    assert config.terms(Role.CLIENT) == config.terms(Role.SERVER) == Terms(False, False)


def test_roles() -> None:
    with pytest.raises(ConfigError) as attester:
        client_config().require_role(Role.SERVER)
    assert attester.value.code == "config.channel_attester"
    with pytest.raises(ConfigError) as verifier:
        server_config().require_role(Role.CLIENT)
    assert verifier.value.code == "config.channel_verifier"
    both_ends().require_role(Role.CLIENT)
    both_ends().require_role(Role.SERVER)


@pytest.mark.parametrize(
    ("key", "options"),
    [
        ("mutual", {"mutual": True}),
        ("handshake_seconds", {"handshake_seconds": 0}),
        ("max_half_open", {"max_half_open": 0}),
        ("max_half_open_per_peer", {"max_half_open_per_peer": 0}),
        ("max_connections", {"max_connections": 0}),
        ("unread_seconds", {"unread_seconds": 0.0}),
        ("max_concurrent_collections", {"max_concurrent_collections": 0}),
        ("max_result_seconds", {"max_result_seconds": -1}),
        ("reattest_seconds", {"reattest_seconds": 0}),
        ("reattest_seconds", {"reattest_seconds": 1, "profile": Profile.RATLS_CERT}),
    ],
)
def test_what_could_never_be_meant(key: str, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        ChannelConfig(**({"attester": FakeAttester(), "verifier": None} | options))
    assert caught.value.code == f"config.channel_{key}"


@pytest.mark.parametrize(("total", "own", "bound"), [(256, None, 64), (1, None, 1), (8, 8, 8), (8, 1, 1)])
def test_half_open_connections_of_one_peer(total: int, own: int | None, bound: int) -> None:
    assert server_config(max_half_open=total, max_half_open_per_peer=own).half_open_per_peer == bound


def test_warnings_are_of_what_is_in_use() -> None:
    verifier = FakeVerifier()
    verifier.warning = "nothing is proven"  # type: ignore[attr-defined]  # optional for a verifier
    assert client_config(verifier=verifier).warnings(Role.CLIENT) == ("nothing is proven",)
    assert server_config(verifier=verifier).warnings(Role.SERVER) == ()


def test_one_endpoint_for_one_configuration() -> None:
    config = server_config()
    assert endpoint_of(config) is endpoint_of(config)
    assert endpoint_of(config) is not endpoint_of(server_config())
