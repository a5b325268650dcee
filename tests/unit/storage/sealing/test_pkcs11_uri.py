from __future__ import annotations

import pytest

from eaa.errors import ConfigError
from eaa.storage.sealing.pkcs11_uri import Pkcs11Uri, parse_pkcs11_uri

PATH = "token=eaa;object=master"
QUERY = "module-path=/usr/lib/m.so&pin-source=/run/pin"


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_pkcs11_uri(text)
    assert caught.value.code == "config.master_key"
    return str(caught.value)


def test_the_least_that_is_needed() -> None:
    assert parse_pkcs11_uri(f"pkcs11:{PATH}?{QUERY}") == Pkcs11Uri(
        "eaa", "master", "/usr/lib/m.so", "/run/pin"
    )


def test_everything() -> None:
    uri = parse_pkcs11_uri(
        "pkcs11:object=%C3%A9%20key;serial=01%3B2;type=secret-key;token=The%20Software%20PKCS%2311"
        "?pin-source=file:/run/pin%20file&generate=yes&module-path=/usr/lib/a%2Cb.so"
    )
    assert uri == Pkcs11Uri("The Software PKCS#11", "é key", "/usr/lib/a,b.so", "/run/pin file", "01;2", True)
    assert uri.name == "pkcs11:serial=01%3B2;token=The%20Software%20PKCS%2311;object=%C3%A9%20key"


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ("/run/pin", "/run/pin"),
        ("file:/run/pin", "/run/pin"),
        ("file:///run/pin", "/run/pin"),
        ("env:PIN", "env:PIN"),
    ],
)
def test_where_the_pin_is(given: str, understood: str) -> None:
    uri = parse_pkcs11_uri(f"pkcs11:{PATH}?module-path=/m.so&pin-source={given}")
    assert uri.pin_source == understood


@pytest.mark.parametrize(
    "given", ["pin", "file:pin", "file://host/pin", "env:", "|/bin/cat%20/run/pin", "%7Ccat"]
)
def test_where_the_pin_may_not_be(given: str) -> None:
    assert "pin-source" in refused(f"pkcs11:{PATH}?module-path=/m.so&pin-source={given}")


@pytest.mark.parametrize(
    "missing", ["token=eaa;", ";object=master", "module-path=/usr/lib/m.so&", "&pin-source=/run/pin"]
)
def test_nothing_may_be_missing(missing: str) -> None:
    whole = f"pkcs11:{PATH}?{QUERY}"
    assert missing in whole
    assert "is missing" in refused(whole.replace(missing, ""))


@pytest.mark.parametrize(
    ("path", "query", "said"),
    [
        (PATH + ";token=eaa", QUERY, "token is given twice"),
        (PATH, QUERY + "&pin-source=/run/pin", "pin-source is given twice"),
        (PATH + ";id=%01", QUERY, "id is not one that is taken here"),
        (PATH, QUERY + "&pin-value=1234", "pin-value is not one that is taken here"),
        (PATH + ";module-path=/m.so", QUERY, "module-path is not one that is taken here"),
        (PATH + ";", QUERY, "an attribute is not one"),
        (PATH + ";serial", QUERY, "serial has no value"),
        (PATH + ";serial=", QUERY, "serial has no value"),
        (PATH + ";serial=a b", QUERY, "serial has no value"),
        (PATH + ";serial=a/b", QUERY, "serial has no value"),
        (PATH + ";serial=%4", QUERY, "serial has no value"),
        (PATH + ";serial=%FF", QUERY, "serial is not UTF-8"),
        (PATH + ";serial=a%00", QUERY, "serial has a zero character"),
        (PATH + ";type=private", QUERY, "type has to be secret-key"),
        (PATH, QUERY + "&generate=true", "generate has to be"),
        (PATH, QUERY.replace("/usr/lib/", ""), "module-path has to be an absolute path"),
        (PATH, "", "module-path is missing"),
        ("", QUERY, "an attribute is not one"),
    ],
)
def test_what_is_refused(path: str, query: str, said: str) -> None:
    assert said in refused(f"pkcs11:{path}?{query}")


@pytest.mark.parametrize("text", ["", "token=eaa", "PKCS12:", "file:/x"])
def test_another_scheme_is_refused(text: str) -> None:
    assert "pkcs11:" in refused(text)


def test_a_pin_is_never_shown() -> None:
    assert "hunter2" not in refused(f"pkcs11:{PATH}?{QUERY}&pin-value=hunter2")
    assert "hunter2" not in refused(f"pkcs11:{PATH}?{QUERY}&hunter2&é")
