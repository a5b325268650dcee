"""A real VLEK with a real report: what of it is public, and says what the simulated one must be like.

From ``confidential-containers/trustee`` at 78962cd4 (Apache-2.0), ``deps/verifier/test_data/snp``:
``test-vlek.der`` and ``test-vlek-report.bin``. A Milan of a cloud, at VMPL 1, with late-loaded microcode and
a masked chip id.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from eaa.endorsements.amd_endorsements import SnpEndorsements, complete_chain
from eaa.endorsements.amd_roots import AMD_ARKS, AMD_ISSUERS
from eaa.errors import EAAError
from eaa.verify.result import Binding
from eaa.verify.snp import SnpMemo, verify_report
from eaa.verify.snp_result import VerifiedSnpEvidence

NOW = datetime(2025, 6, 1, tzinfo=UTC)


def verify(*, now: datetime = NOW, allow_missing_crl: bool = True) -> VerifiedSnpEvidence:
    vlek = SnpEndorsements(base64.b64decode(VLEK), None, None, None)
    return verify_report(
        base64.b64decode(REPORT) + bytes(0x170),
        endorsements=complete_chain(vlek, (*AMD_ISSUERS, *AMD_ARKS)),
        trust_anchors=AMD_ARKS,
        binding=Binding(),
        now=now,
        memo=SnpMemo(1),
        allow_missing_crl=allow_missing_crl,  # none is among the public files
    )


def test_it_is_genuine() -> None:
    verified = verify()
    assert verified.vek.csp_id == "CN=cc-us-east-2.amazonaws.com"
    assert (verified.vek.hwid, verified.vek.product_name) == (None, "Milan")
    assert verified.trust_anchor.name == "ARK-Milan"
    assert verified.report.chip_id_masked
    assert verified.report.provisional
    assert verified.report.body.vmpl == 1
    levels = {
        name: getattr(verified.report, f"{name}_tcb").microcode
        for name in ("reported", "committed", "current")
    }
    assert levels == {"reported": 217, "committed": 219, "current": 220}


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("endorsement_not_found.crl", {"allow_missing_crl": False}),
        ("validity_period.vek_expired", {"now": datetime(2026, 1, 1, tzinfo=UTC)}),
        ("validity_period.vek_not_yet_valid", {"now": datetime(2024, 1, 1, tzinfo=UTC)}),
    ],
)
def test_and_refused_where_it_must_be(code: str, options: dict[str, Any]) -> None:
    with pytest.raises(EAAError) as caught:
        verify(**options)
    assert caught.value.code == code


VLEK = """
    MIIFIzCCAtegAwIBAgIBADBBBgkqhkiG9w0BAQowNKAPMA0GCWCGSAFlAwQCAgUAoRwwGgYJKoZIhvcNAQEIMA0GCWCGSAFlAwQCAgUA
    ogMCATAwgYAxFDASBgNVBAsMC0VuZ2luZWVyaW5nMQswCQYDVQQGEwJVUzEUMBIGA1UEBwwLU2FudGEgQ2xhcmExCzAJBgNVBAgMAkNB
    MR8wHQYDVQQKDBZBZHZhbmNlZCBNaWNybyBEZXZpY2VzMRcwFQYDVQQDDA5TRVYtVkxFSy1NaWxhbjAeFw0yNDEyMTAyMjE0MjFaFw0y
    NTEyMTAyMjE0MjFaMHoxFDASBgNVBAsMC0VuZ2luZWVyaW5nMQswCQYDVQQGEwJVUzEUMBIGA1UEBwwLU2FudGEgQ2xhcmExCzAJBgNV
    BAgMAkNBMR8wHQYDVQQKDBZBZHZhbmNlZCBNaWNybyBEZXZpY2VzMREwDwYDVQQDDAhTRVYtVkxFSzB2MBAGByqGSM49AgEGBSuBBAAi
    A2IABFN1UuIT60plrJQ8/t4JhUrNJCvZKd0QOHglKJZrtXDDuklmXlRUwlUeC2l5zxfSjqgrNsrK4jKWXVR2L1d/sKpWEtbaV7BZti3u
    SKlV792f2EUXcAb1uIqdw5l6nmaxPqOB8jCB7zAQBgkrBgEEAZx4AQEEAwIBADAUBgkrBgEEAZx4AQIEBxYFTWlsYW4wEQYKKwYBBAGc
    eAEDAQQDAgEEMBEGCisGAQQBnHgBAwIEAwIBADARBgorBgEEAZx4AQMEBAMCAQAwEQYKKwYBBAGceAEDBQQDAgEAMBEGCisGAQQBnHgB
    AwYEAwIBADARBgorBgEEAZx4AQMHBAMCAQAwEQYKKwYBBAGceAEDAwQDAgEYMBIGCisGAQQBnHgBAwgEBAICANkwLAYJKwYBBAGceAEF
    BB8WHUNOPWNjLXVzLWVhc3QtMi5hbWF6b25hd3MuY29tMEEGCSqGSIb3DQEBCjA0oA8wDQYJYIZIAWUDBAICBQChHDAaBgkqhkiG9w0B
    AQgwDQYJYIZIAWUDBAICBQCiAwIBMAOCAgEAVuUTs8xVE+LITqRwHdehRaDzYfH9TsUzvwDgzjCBoPjzDvrkITkkyji3CfIoVk3pKg1j
    VQx4vum94oQE7bLPERQluEBsJ9vMHzjq46JrAnKP60MM40uSGX5PGowJD/VHQKOil5DXA2LEtgNagWv3JxKHL8FJmkesd+wH41dVGbRN
    2pexS/o+qVreF7BcXwK3NfiqVUyAydZddETf8KmdtcaYytvUzDR7HnwwYXjLmvswPan9cHPNGGbw77bdv1C8jZpYcxS0y+MJxpnz8ghL
    BV23iFMBOjEnsZ5KSJwTR208ktQH9f/a3Z3s537itoUlcbLU8xl0Zd7RZoITQDSAXegY/i/MEhC3YXqM97nd+QT7Bf9NKZkIHqjASYVx
    phE5CNfXSqEMynwf3kd0YuWqGnfr4f9qr0gjHGsPbKnldUXP3tiSF/0zyIpGJJZHsfKBGzQfUkiUr+n45Faw1ZD512UVQsbw5I8gg07n
    QCnywuo9T7J02zLqQ31DCzR0hwJowM7oBazTDjyH9IQvanUxZoGPAXICuQYX+E1ITh/xJol059iP4t0iXMskOWTWbKzyxrNvyIvCNMlS
    +8gkKruOq+cWuyv7swgavd52tmlZHqh+ta1gaNu8x3Ldw7SHD/L3KfxlJp1os1i/lm5X2Nip1MF8kUGeD0CMadF35JDQkaY=
"""
#: Without the zeros at its end.
REPORT = """
    AwAAAAAAAAAAAAMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQAAAAEAAAAEAAAAAAAY3CcAAAAAAAAABAAAAAAA
    AACBl3C35upt+N2P1N0Uawc8C/TzzlsJd+ysSG46Be0b1U4qesH10coC59fV759zuFdP2TWeOkgNdBpEeOinvCfKiSLrvdAOwsVB82pu
    eoKodzp6zLRR7We8lOdA2+ksk8Toya+Ff1zutaST3ypXDXvwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
    AAAAAAAAAABi4E+6cAr9k7OgzAZJtjPuNlh/qKjC612bfNe8X0uwV///////////////////////////////////////////BAAAAAAA
    GNkZAQEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
    AAAAAAAAAAAAAAAABAAAAAAAGNsdNwEAHTcBAAQAAAAAABjbAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAvFaI8TstPfb++SVVXOrPn+MdyUxetAFOB/orvi8U
    rpAhO/DlhEFvD9+cIu58lERfAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA4Ps5eob60WvCvJHx5z5BQLeKOom5uxwRuUvbN1P5zV0mz84T
    HFb0GOFKwubNC8TCAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
"""
