"""Resources and keys."""

from __future__ import annotations

import re

import pytest

from eaa.broker.administration.resources import MAX_RESOURCE_BYTES
from eaa.broker.names import ResourcePath
from eaa.errors import EAAError, FormatError, LimitExceeded, ResourceNotFound, UsageError
from tests.fakes.administrators import ADMIN, Bureau, run

PATH = ResourcePath.parse("default/key/1")
OTHER = ResourcePath.parse("default/key/2")


@pytest.fixture
def bureau() -> Bureau:
    return Bureau()


def test_versions_of_a_resource(bureau: Bureau) -> None:
    resources = bureau.administration.resources
    assert run(resources.put(ADMIN, PATH, b"one")).version == 1
    info = run(resources.put(ADMIN, PATH, b"two"))
    assert (info.version, info.size, info.created_by, info.created_at) == (2, 3, ADMIN.name, bureau.now)
    assert run(resources.read(ADMIN, PATH)).content == b"two"
    assert run(resources.read(ADMIN, PATH, version=1)).content == b"one"
    assert [info.version for info in run(resources.versions(ADMIN, PATH))] == [2, 1]
    run(resources.set_enabled(ADMIN, PATH, False, version=2))
    assert run(resources.read(ADMIN, PATH)).content == b"one"
    run(resources.delete(ADMIN, PATH, version=1))
    with pytest.raises(ResourceNotFound):
        run(resources.read(ADMIN, PATH))
    run(resources.set_enabled(ADMIN, PATH, True))
    assert run(resources.read(ADMIN, PATH)).info.version == 2


def test_listing_resources(bureau: Bureau) -> None:
    resources = bureau.administration.resources
    for path in (OTHER, PATH, ResourcePath.parse("other/key/1")):
        run(resources.put(ADMIN, path, b""))
    assert [str(i.path) for i in run(resources.list(ADMIN, prefix="default/"))] == [str(PATH), str(OTHER)]
    assert [str(i.path) for i in run(resources.list(ADMIN, after=str(PATH), limit=1))] == [str(OTHER)]


def test_a_resource_has_a_greatest_size(bureau: Bureau) -> None:
    resources = bureau.administration.resources
    run(resources.put(ADMIN, PATH, bytes(MAX_RESOURCE_BYTES)))
    with pytest.raises(LimitExceeded) as caught:
        run(resources.put(ADMIN, PATH, bytes(MAX_RESOURCE_BYTES + 1)))
    assert caught.value.code == "limit.size"
    assert bureau.said[-1] == (False, "limit.size", str(PATH))
    assert run(resources.read(ADMIN, PATH)).info.version == 1


def test_no_secret_is_on_record(bureau: Bureau) -> None:
    secret = b"correct horse battery staple!!!!"
    run(bureau.administration.resources.put(ADMIN, PATH, secret))
    run(bureau.administration.resources.read(ADMIN, PATH))
    run(bureau.administration.keys.import_(ADMIN, "k", secret))
    run(bureau.administration.keys.read(ADMIN, "k"))
    assert len(bureau.decisions) == 4
    for text in (repr(bureau.decisions), repr(bureau.stores.resources), repr(bureau.stores.keys)):
        assert secret.decode() not in text


def test_versions_of_a_key(bureau: Bureau) -> None:
    keys = bureau.administration.keys
    made = run(keys.create(ADMIN, "k", bits=192))
    assert (made.kid, made.version, made.bits, made.destroyed) == ("k", 1, 192, False)
    first = run(keys.read(ADMIN, "k")).material
    rotated = run(keys.rotate(ADMIN, "k"))
    assert (rotated.version, rotated.bits) == (2, 192)
    assert run(keys.read(ADMIN, "k", version=1)).material == first != run(keys.read(ADMIN, "k")).material
    assert run(keys.import_(ADMIN, "k", bytes(16))).bits == 128
    assert [info.version for info in run(keys.versions(ADMIN, "k"))] == [3, 2, 1]
    run(keys.destroy(ADMIN, "k", version=3))
    with pytest.raises(ResourceNotFound):
        run(keys.read(ADMIN, "k"))
    assert run(keys.read(ADMIN, "k", version=2)).info.bits == 192
    run(keys.destroy(ADMIN, "k"))
    assert all(info.destroyed for info in run(keys.versions(ADMIN, "k")))


def test_a_key_without_a_name_is_called_by_a_uuid(bureau: Bureau) -> None:
    first, second = (run(bureau.administration.keys.create(ADMIN)) for _ in range(2))
    for info in (first, second):
        assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", info.kid)
        assert info.bits == 256
    assert first.kid != second.kid
    listed = [info.kid for info in run(bureau.administration.keys.list(ADMIN))]
    assert listed == sorted([first.kid, second.kid])


@pytest.mark.parametrize(
    ("kid", "bits", "error", "code"),
    [
        ("../k", 256, FormatError, "format.name"),
        ("", 256, FormatError, "format.name"),
        ("k", 255, UsageError, "usage.key_bits"),
        ("taken", 256, UsageError, "usage.key_exists"),
    ],
)
def test_keys_that_are_not_made(
    bureau: Bureau, kid: str, bits: int, error: type[EAAError], code: str
) -> None:
    run(bureau.administration.keys.create(ADMIN, "taken"))
    with pytest.raises(error) as caught:
        run(bureau.administration.keys.create(ADMIN, kid, bits=bits))
    assert caught.value.code == code
    assert bureau.said[-1] == (False, code, kid)
    assert list(bureau.stores.keys.versions_of) == ["taken"]


@pytest.mark.parametrize(
    ("kid", "length", "code"),
    [
        ("k/k", 32, "format.name"),
        ("k", 31, "usage.key_bits"),
        ("k", 33, "usage.key_bits"),
        ("k", 0, "usage.key_bits"),
    ],
)
def test_keys_that_are_not_imported(bureau: Bureau, kid: str, length: int, code: str) -> None:
    with pytest.raises(EAAError) as caught:
        run(bureau.administration.keys.import_(ADMIN, kid, bytes(length)))
    assert caught.value.code == code
    assert not bureau.stores.keys.versions_of


def test_a_key_that_is_not_there(bureau: Bureau) -> None:
    keys = bureau.administration.keys
    for use in (keys.rotate(ADMIN, "k"), keys.versions(ADMIN, "k"), keys.destroy(ADMIN, "k")):
        with pytest.raises(ResourceNotFound):
            run(use)
    assert not bureau.stores.keys.versions_of
