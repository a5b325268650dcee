"""Whether keys in tokens' headers are endorsed: the scenarios that Trustee's own tests have."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography import x509

from eaa.broker.token_trust import endorsed_key
from eaa.codec.strict_json import parse_json
from eaa.errors import EAAError
from tests.vectors.manifest import VECTORS, needs_vectors

FOLDER = VECTORS / "ocicrypt-kbs/trustee-confidential-containers-token-verification"

pytestmark = needs_vectors


@pytest.mark.parametrize(
    ("scenario", "code"),
    [
        ("01", ""),
        ("02", "chain.x5c_key"),
        ("03", "chain.x5c"),
        ("04", "chain.x5c_path"),
        ("05", ""),
        ("06", ""),
        ("07", ""),
    ],
)
def test_the_scenarios_of_trustee(scenario: str, code: str) -> None:
    jwk = parse_json((FOLDER / f"scenario{scenario}-jwk.json").read_bytes(), "JWK")
    anchors = x509.load_pem_x509_certificates((FOLDER / f"scenario{scenario}-trust.pem").read_bytes())
    now = datetime(2026, 11, 21, tzinfo=UTC)
    if not code:
        endorsed_key(jwk, anchors=anchors, now=now)
        return
    with pytest.raises(EAAError) as refused:
        endorsed_key(jwk, anchors=anchors, now=now)
    assert refused.value.code == code
