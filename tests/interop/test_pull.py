"""From a real docker-registry: laid out as umoci lays it out, run by runc, and every attack refused."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from backports import zstd

from eaa.oci.digest import parse_digest
from eaa.oci.layer_cipher import PUBLIC_OPTIONS_ANNOTATION
from tests.fakes.pull_guest import ACCEPT, Guest, Secrets, tree_of
from tests.fakes.pull_images import KEK, KID, Image, Layer, digest, entry, tar
from tests.fakes.pull_registry import MANIFEST_TYPE, push, push_manifest
from tests.fakes.pull_server import Answer, Asked, Server
from tests.fakes.registry import Registry
from tests.fakes.skopeo import require_program

SECONDS = 60
SHELL = {"Cmd": ["/bin/sh", "-c", "cat /greeting && id -u && echo $WHO"], "Env": ["WHO=guest"]}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with Registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def guest(tmp_path: Path) -> Guest:
    return Guest(tmp_path / "guest")


def busybox(compression: str = "+gzip", *, encrypted: bool = False) -> Layer:
    program = Path(require_program("busybox", "busybox-static")).read_bytes()
    return Layer(
        tar(
            [
                entry("bin"),
                entry("bin/busybox", program, mode=0o755),
                *(
                    entry(f"bin/{name}", b"", type=tarfile.SYMTYPE, linkname="busybox")
                    for name in ("sh", "cat", "id")
                ),
            ]
        ),
        compression,
        encrypted,
    )


def greeting(compression: str = "+gzip", *, encrypted: bool = False, text: bytes = b"hello\n") -> Layer:
    return Layer(tar([entry("greeting", text)]), compression, encrypted)


def command(*arguments: object) -> str:
    done = subprocess.run(
        [str(item) for item in arguments], capture_output=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def run(bundle: Path, state: Path, name: str) -> str:
    runc = require_program("runc", "runc")
    return command(runc, "--root", state, "run", "--bundle", bundle, name)


def push_as(registry: Registry, name: str, image: Image) -> str:
    push(registry, name, image)
    return f"{registry.address}/{name}"


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
@pytest.mark.parametrize("compression", ["", "+gzip", "+zstd"], ids=["none", "gzip", "zstd"])
def test_what_was_pulled_runs(
    registry: Registry, guest: Guest, tmp_path: Path, compression: str, encrypted: bool
) -> None:
    image = Image(
        [busybox(compression, encrypted=encrypted), greeting(compression, encrypted=encrypted)], SHELL
    )
    name = push_as(registry, f"run{compression.replace('+', '-')}/{encrypted}:1".lower(), image)
    pulled = guest.pull(name)
    assert str(pulled.digest) == digest(image.manifest)
    assert (
        run(guest.bundle, tmp_path / "state", f"pull-{os.getpid()}{compression[1:]}{encrypted}")
        == "hello\n0\nguest\n"
    )
    assert sorted(path.name for path in guest.folder.iterdir()) == ["bundle"]
    assert guest.secrets.asked == [KID] * (2 * encrypted)


def test_the_images_user(registry: Registry, guest: Guest, tmp_path: Path) -> None:
    users = Layer(
        tar(
            [
                entry("etc"),
                entry("etc/passwd", b"root:x:0:0::/root:\napp:x:1234:55::/home/app:/bin/sh\n"),
                entry("etc/group", b"root:x:0:\nmore:x:77:other,app\n"),
                entry("home"),
                entry("home/app", uid=1234, gid=55),
            ]
        )
    )
    config = {
        "User": "app", "WorkingDir": "/home/app", "Entrypoint": ["/bin/sh", "-c"],
        "Cmd": ["/bin/id; echo $HOME; pwd; echo x > file && cat file"],
    }  # fmt: skip
    name = push_as(registry, "user:1", Image([busybox(), users], config))
    guest.pull(name)
    said = run(guest.bundle, tmp_path / "state", f"pull-user-{os.getpid()}")
    assert said == "uid=1234(app) gid=55 groups=77(more)\n/home/app\n/home/app\nx\n"


def test_laid_out_as_umoci_does(registry: Registry, guest: Guest, tmp_path: Path) -> None:
    """Three layers made by umoci, copied to the registry by skopeo, unpacked by both."""
    umoci, skopeo = require_program("umoci", "umoci"), require_program("skopeo", "skopeo")
    layout = tmp_path / "layout"
    command(umoci, "init", "--layout", layout)
    command(umoci, "new", "--image", f"{layout}:1")
    for step in (_first_layer, _second_layer, _third_layer):
        work = tmp_path / "work"
        command(umoci, "unpack", "--image", f"{layout}:1", work)
        step(work / "rootfs")
        command(umoci, "repack", "--image", f"{layout}:1", work)
        shutil.rmtree(work)
    name = f"{registry.address}/umoci:1"
    command(
        skopeo, "copy", "--insecure-policy", "--dest-tls-verify=false", f"oci:{layout}:1", f"docker://{name}"
    )
    pulled = guest.pull(name)
    command(umoci, "unpack", "--image", f"{layout}:1", tmp_path / "theirs")
    theirs, ours = tree_of(tmp_path / "theirs/rootfs"), tree_of(guest.rootfs)
    assert ours == theirs
    assert len(ours) > 12
    assert not pulled.skipped.counts
    assert not {"gone", "opaque/old"} & ours.keys()


def _first_layer(root: Path) -> None:
    for name in ("usr/lib", "opaque", "gone", "device"):
        (root / name).mkdir(parents=True)
    (root / "usr/lib/library").write_bytes(os.urandom(100_000))
    (root / "lib").symlink_to("usr/lib")
    (root / "opaque/old").write_text("old")
    (root / "gone/file").write_text("gone")
    (root / "program").write_text("#!")
    os.chown(root / "program", 12, 34)
    (root / "program").chmod(0o6755)
    os.link(root / "program", root / "same")
    os.mkfifo(root / "pipe")
    os.mknod(root / "device/null", 0o20666, os.makedev(1, 3))
    (root / ("long-" + "n" * 200)).write_text("long")
    (root / "opaque").chmod(0o1777)


def _second_layer(root: Path) -> None:
    shutil.rmtree(root / "gone")
    shutil.rmtree(root / "opaque")
    (root / "opaque").mkdir()
    (root / "opaque/new").write_text("new")
    (root / "usr/lib/second").write_text("2")
    (root / "ünï").write_text("not ASCII")
    with (root / "sparse").open("wb") as file:
        file.truncate(1_000_000)


def _third_layer(root: Path) -> None:
    (root / "program").unlink()
    (root / "program").symlink_to("same")
    (root / "lib").unlink()
    (root / "lib").mkdir()
    (root / "lib/own").write_text("3")


def test_an_index_by_tag_and_by_digest(registry: Registry, guest: Guest) -> None:
    image = Image([greeting()])
    push(registry, "index:amd64", image)
    other = {"mediaType": MANIFEST_TYPE, "digest": digest(b"x"), "size": 1}
    index = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [
                {**other, "digest": digest(image.manifest), "size": len(image.manifest),
                 "platform": {"os": "linux", "architecture": "amd64"}},
            ],
        }
    ).encode()  # fmt: skip
    found = push_manifest(registry, "index", "all", index, "application/vnd.oci.image.index.v1+json")
    assert str(guest.pull(f"{registry.address}/index:all").digest) == digest(image.manifest)
    shutil.rmtree(guest.bundle)
    assert str(guest.pull(f"{registry.address}/index@{found}").digest) == digest(image.manifest)


def changed_annotation(layer: Layer) -> None:
    public = json.loads(base64.b64decode(layer.annotations[PUBLIC_OPTIONS_ANNOTATION]))
    public["hmac"] = base64.b64encode(bytes(32)).decode()
    layer.annotations[PUBLIC_OPTIONS_ANNOTATION] = base64.b64encode(json.dumps(public).encode()).decode()


def changed_ciphertext(layer: Layer) -> None:
    """The registry changes the layer and its manifest; the HMAC it cannot change."""
    layer.blob = layer.blob[:100] + bytes([layer.blob[100] ^ 1]) + layer.blob[101:]


def cut_ciphertext(layer: Layer) -> None:
    layer.blob = layer.blob[:-10]


def cut_plain(layer: Layer) -> None:
    layer.encrypted, layer.annotations = False, {}
    layer.__post_init__()
    layer.blob = layer.blob[:-10]


def other_diff_id(layer: Layer) -> None:
    layer.diff_id = digest(b"another")


def not_compressed(layer: Layer) -> None:
    layer.encrypted, layer.annotations, layer.blob = False, {}, layer.tar


def without_key(layer: Layer) -> None:
    layer.annotations = {}


def under_an_unknown_key(layer: Layer) -> None:
    layer.blob = Layer(layer.tar).blob
    layer.encrypt(kid="kbs:///default/image/none")


def under_another_key(layer: Layer) -> None:
    layer.blob = Layer(layer.tar).blob
    layer.encrypt(kek=bytes(32))


def trailing_rubbish(layer: Layer) -> None:
    layer.encrypted, layer.annotations = False, {}
    layer.__post_init__()
    layer.blob += b"rubbish"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (changed_annotation, "signature.layer_hmac"),
        (changed_ciphertext, "signature.layer_hmac"),
        (cut_ciphertext, "signature.layer_hmac"),
        (cut_plain, "format.compression"),
        (trailing_rubbish, "format.compression"),
        (not_compressed, "format.compression"),
        (other_diff_id, "binding.diff_id"),
        (without_key, "format.missing"),
        (under_an_unknown_key, "resource_not_found.test"),
        (under_another_key, "signature.wrapped_key"),
    ],
)
@pytest.mark.parametrize("number", [1, 2])
def test_a_layer_that_is_not_what_it_has_to_be(
    registry: Registry, guest: Guest, change: Callable[[Layer], None], code: str, number: int
) -> None:
    layers = [greeting(encrypted=True), greeting(encrypted=True, text=b"more\n")]
    change(layers[number - 1])
    name = push_as(registry, f"bad/{change.__name__}:{number}", Image(layers))
    error = guest.refused(name)
    assert error.code == code
    assert f"layer {number} " in str(error)
    assert digest(layers[number - 1].blob) in str(error)


@pytest.mark.parametrize("compression", ["", "+zstd"])
def test_changed_ciphertext_without_gzips_own_sum(registry: Registry, guest: Guest, compression: str) -> None:
    layer = Layer(tar([entry("f", os.urandom(100_000))]), compression, encrypted=True)
    layer.blob = layer.blob[:50_000] + bytes([layer.blob[50_000] ^ 1]) + layer.blob[50_001:]
    name = push_as(registry, f"flip{compression.replace('+', '-')}:1", Image([layer]))
    assert guest.refused(name).code == "signature.layer_hmac"


def test_swapped_layers(registry: Registry, guest: Guest) -> None:
    """Two genuine layers of one image in the other order, the image's configuration as it was."""
    one, two = greeting(encrypted=True), busybox(encrypted=True)
    one.diff_id, two.diff_id = two.diff_id, one.diff_id
    assert guest.refused(push_as(registry, "swapped:1", Image([two, one]))).code == "binding.diff_id"


def test_keys_swapped_between_layers(registry: Registry, guest: Guest) -> None:
    one, two = greeting("", encrypted=True), greeting("", encrypted=True, text=b"olleh\n")
    one.annotations, two.annotations = two.annotations, one.annotations
    error = guest.refused(push_as(registry, "keys:1", Image([one, two])))
    assert error.code == "signature.layer_hmac"


def test_an_encrypted_layer_stays_closed_without_the_broker(registry: Registry, guest: Guest) -> None:
    guest.secrets = Secrets(keys={})
    error = guest.refused(push_as(registry, "closed:1", Image([greeting(), greeting(encrypted=True)])))
    assert error.code == "resource_not_found.test"
    assert "layer 2 of 2" in str(error)
    assert list(guest.folder.iterdir()) == [], "no layer is downloaded without its key"


def test_entries_that_lead_out(registry: Registry, guest: Guest) -> None:
    hostile = Layer(tar([entry("../../escaped", b"x")]))
    error = guest.refused(push_as(registry, "escape:1", Image([greeting(), hostile])))
    assert error.code == "format.path"
    assert "layer 2" in str(error)
    assert "it leads upwards" in str(error)
    assert not (guest.folder.parent / "escaped").exists()


@pytest.mark.parametrize("compression", ["+gzip", "+zstd"])
def test_bombs(registry: Registry, guest: Guest, compression: str) -> None:
    bomb = Layer(tar([entry("zeros", bytes(20_000_000))]), compression)
    name = push_as(registry, f"bomb{compression.replace('+', '-')}:1", Image([bomb]))
    assert guest.limited(ratio_free_bytes=1_000_000, ratio=100).refused(name).code == "limit.ratio"
    assert guest.limited(unpacked_bytes=10_000_000).refused(name).code == "limit.size"
    assert guest.limited().pull(name)


@pytest.mark.parametrize(
    ("reference", "code"),
    [
        ("none:1", "resource_not_found.registry"),
        ("there:none", "resource_not_found.registry"),
        ("there@" + digest(b"none"), "resource_not_found.registry"),
    ],
)
def test_no_such_image(registry: Registry, guest: Guest, reference: str, code: str) -> None:
    push(registry, "there:1", Image([greeting()]))
    assert guest.refused(f"{registry.address}/{reference}").code == code


def test_what_is_there_already_is_not_touched(registry: Registry, guest: Guest) -> None:
    name = push_as(registry, "again:1", Image([greeting()]))
    guest.pull(name)
    (guest.rootfs / "mine").write_text("mine")
    with pytest.raises(Exception, match="is there already"):
        guest.pull(name)
    assert (guest.rootfs / "mine").read_text() == "mine"


def test_the_policy_decides_before_a_layer_is_fetched(registry: Registry, guest: Guest) -> None:
    name = push_as(registry, "rejected:1", Image([greeting(encrypted=True)]))
    guest.policy = {**ACCEPT, "transports": {"docker": {registry.address: [{"type": "reject"}]}}}
    error = guest.refused(name)
    assert error.code == "access_denied.image_rejected"
    assert name in str(error)
    assert guest.secrets.asked == []
    assert list(guest.folder.iterdir()) == []


class Mirror:
    """The image, from a server that breaks off or changes what it is told to."""

    def __init__(self, image: Image) -> None:
        self._manifest = image.manifest
        self._blobs = {digest(blob): blob for blob in image.blobs}
        self.cut: int | None = None
        self.ranges: list[str] = []
        self.changed: dict[str, bytes] = {}

    def __call__(self, asked: Asked) -> Answer:
        name = asked.path.rpartition("/")[2]
        if "/manifests/" in asked.path:
            return Answer(body=self._manifest, headers={"Content-Type": MANIFEST_TYPE})
        if name not in self._blobs:
            return Answer(404)
        blob = self.changed.get(name, self._blobs[name])
        start = int(asked.headers.get("range", "bytes=0-")[6:-1])
        if start:
            self.ranges.append(asked.headers["range"])
        headers = {"Content-Range": f"bytes {start}-{len(blob) - 1}/{len(blob)}"} if start else {}
        cut = self.cut if len(blob) > 100_000 else None
        return Answer(206 if start else 200, blob[start:], headers, cut)


def large() -> Image:
    return Image([Layer(tar([entry("large", os.urandom(1_000_000))]), "")])


def test_a_pull_that_was_cut_off_goes_on(guest: Guest) -> None:
    image = large()
    mirror = Mirror(image)
    with Server(mirror) as server:
        mirror.cut = 100_000
        assert guest.refused(f"{server.host}/a:1").code == "remote_protocol.registry_unreachable"
        (partial,) = (guest.folder / ".bundle.blobs/sha256").iterdir()
        here = partial.stat().st_size
        assert here >= 100_000
        mirror.cut = None
        mirror.ranges.clear()
        guest.pull(f"{server.host}/a:1")
        assert mirror.ranges == [f"bytes={here}-"]
    assert (guest.rootfs / "large").stat().st_size == 1_000_000
    assert sorted(path.name for path in guest.folder.iterdir()) == ["bundle"]


def test_a_blob_with_other_bytes(guest: Guest) -> None:
    image = large()
    mirror = Mirror(image)
    blob = image.layers[0].blob
    mirror.changed[digest(blob)] = blob[:-1] + b"x"
    with Server(mirror) as server:
        error = guest.refused(f"{server.host}/a:1")
        assert error.code == "binding.blob_digest"
        assert digest(blob) in str(error)
        assert list((guest.folder / ".bundle.blobs/sha256").iterdir()) == [], "nothing wrong is kept"
        mirror.changed.clear()
        guest.pull(f"{server.host}/a:1")


def test_a_blob_that_the_disk_changed_is_downloaded_again(guest: Guest, tmp_path: Path) -> None:
    image = large()
    guest.terms = replace(guest.terms, store=tmp_path / "store")
    with Server(Mirror(image)) as server:
        guest.pull(f"{server.host}/a:1")
        shutil.rmtree(guest.bundle)
        stored = tmp_path / "store/sha256" / parse_digest(digest(image.layers[0].blob), what="test").hex
        stored.write_bytes(bytes(stored.stat().st_size))
        assert guest.refused(f"{server.host}/a:1").code in {"binding.layer_file", "binding.diff_id"}
        guest.pull(f"{server.host}/a:1")


def test_the_deadline(guest: Guest) -> None:
    guest.terms = replace(guest.terms, deadline_seconds=0.001)
    with Server(Mirror(large())) as server:
        assert guest.refused(f"{server.host}/a:1").code == "remote_protocol.deadline"


def test_a_pull_that_is_stopped_while_it_unpacks(guest: Guest) -> None:
    """More than can be written in the time there is; the thread that writes it stops as well."""
    header = tarfile.TarInfo("zeros")
    header.size = 64 << 30
    endless = Layer(header.tobuf(), "+zstd")
    endless.blob += zstd.compress(bytes(64 << 20)) * 1000
    with Server(Mirror(Image([endless]))) as server:
        guest.limited(unpacked_bytes=1 << 40, ratio=1 << 30)
        guest.terms = replace(guest.terms, deadline_seconds=1.0)
        assert guest.refused(f"{server.host}/a:1").code == "remote_protocol.deadline"


_MEASURED = """
import re, sys
from pathlib import Path
from tests.fakes.pull_guest import Guest
guest = Guest(Path(sys.argv[1]))
guest.pull(sys.argv[2])
# Not ru_maxrss: the parent's peak comes with it.
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
print(peak[1], (guest.rootfs / "data").stat().st_size)
"""


def test_memory_does_not_grow_with_the_layer(registry: Registry, tmp_path: Path) -> None:
    """200 MB and 2 MB, encrypted and compressed, each in a process of its own."""
    peaks = []
    for megabytes in (2, 200):
        content = os.urandom(1_000_000) * megabytes
        layer = Layer(tar([entry("data", content)]), "+gzip", encrypted=True)
        name = push_as(registry, f"memory:{megabytes}", Image([layer]))
        said = command(sys.executable, "-c", _MEASURED, tmp_path / f"guest-{megabytes}", name).split()
        assert int(said[1]) == len(content)
        peaks.append(int(said[0]))
    small, big = peaks
    assert big - small < 16 * 1024, f"{small} KiB became {big} KiB"


def test_nothing_of_a_key_is_left_on_disk(registry: Registry, guest: Guest) -> None:
    guest.pull(push_as(registry, "trace:1", Image([greeting(encrypted=True)])))
    for path in guest.folder.rglob("*"):
        assert path.is_dir() or KEK not in path.read_bytes()


def test_blobs_left_behind_are_as_they_came(registry: Registry, guest: Guest) -> None:
    layer = greeting(encrypted=True)
    bad = greeting()
    bad.diff_id = digest(b"other")
    guest.refused(push_as(registry, "left:1", Image([layer, bad])))
    kept = {path.read_bytes() for path in (guest.folder / ".bundle.blobs").rglob("*") if path.is_file()}
    assert kept == {layer.blob, bad.blob}
