"""A guest that pulls: its secrets in memory, its folders, and what a pull has left behind."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import ssl
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from eaa.broker.names import ResourcePath
from eaa.errors import EAAError, ResourceNotFound
from eaa.oci.key_id import KeyId
from eaa.oci.platform import Platform
from eaa.oci.signatures.reference import parse_reference
from eaa.services.image_pull.limits import UnpackLimits
from eaa.services.image_pull.openpgp import SequoiaOpenPgp
from eaa.services.image_pull.pull import Pulled, PullTerms, pull_image
from eaa.services.image_pull.sources import Sources
from eaa.transport.registry.limits import RegistryLimits
from tests.fakes.pull_images import KEK, KID

__all__ = ["ACCEPT", "Guest", "Secrets", "tree_of"]

ACCEPT = {"default": [{"type": "insecureAcceptAnything"}]}
AMD64 = Platform("linux", "amd64")


@dataclass
class Secrets:
    """Keys by id, resources by path; what was asked for in ``asked``."""

    keys: dict[str, bytes] = field(default_factory=lambda: {KID: KEK})
    resources: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def key(self, kid: KeyId) -> bytes:
        return self._find(self.keys, str(kid))

    async def resource(self, path: ResourcePath) -> bytes:
        return self._find(self.resources, str(path))

    def _find(self, where: Mapping[str, bytes], name: str) -> bytes:
        self.asked.append(name)
        if name not in where:
            raise ResourceNotFound(f"there is no {name}", detail="test")
        return where[name]


@dataclass
class Guest:
    """Pulls into ``folder/bundle``; ``policy`` is a file unless :attr:`where` says otherwise."""

    folder: Path
    policy: Any = field(default_factory=lambda: ACCEPT)
    secrets: Secrets = field(default_factory=Secrets)
    lookaside: str = ""
    auth: str = ""
    steps: list[str] = field(default_factory=list)
    terms: PullTerms = field(
        default_factory=lambda: PullTerms(
            AMD64, ssl.create_default_context(), SequoiaOpenPgp(), registry=RegistryLimits(backoff_seconds=0)
        )
    )

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.bundle = self.folder / "bundle"
        self.rootfs = self.bundle / "rootfs"

    def limited(self, **limits: int) -> Guest:
        """The same guest with other limits."""
        self.terms = replace(self.terms, unpack=UnpackLimits(**limits))
        return self

    def pull(self, image: str) -> Pulled:
        return asyncio.run(self.begin(image))

    async def begin(self, image: str) -> Pulled:
        policy = self.folder.parent / f"{self.folder.name}-policy.json"
        policy.write_text(json.dumps(self.policy))
        sources = Sources(self.secrets, str(policy), self.lookaside, self.auth, proven=True)
        return await pull_image(parse_reference(image), self.bundle, sources, self.terms, self)

    def refused(self, image: str) -> EAAError:
        """The error of a pull that must fail, and leave nothing that was unpacked."""
        try:
            self.pull(image)
        except EAAError as error:
            left = {path.name for path in self.folder.iterdir()}
            assert left <= {".bundle.blobs"}, left
            return error
        raise AssertionError(f"{image} was pulled")

    def note(self, text: str) -> None:
        self.steps.append(text)

    def downloaded(self, layer: int, here: int, size: int) -> None:
        assert 0 <= here <= size, (layer, here, size)


def tree_of(root: Path) -> dict[str, tuple[object, ...]]:
    """Everything about each path below ``root`` that an image can say: what two unpackings must agree in."""
    found: dict[str, tuple[object, ...]] = {}
    inodes: dict[int, list[str]] = {}
    for inside, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = Path(inside, name)
            status = path.lstat()
            content: object = None
            if stat.S_ISREG(status.st_mode):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                inodes.setdefault(status.st_ino, []).append(str(path.relative_to(root)))
            elif stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            xattrs = tuple(
                (key, os.getxattr(path, key, follow_symlinks=False))
                for key in sorted(os.listxattr(path, follow_symlinks=False))
            )
            mtime = None if stat.S_ISDIR(status.st_mode) else status.st_mtime_ns // 1000
            found[str(path.relative_to(root))] = (
                oct(status.st_mode), status.st_uid, status.st_gid, status.st_rdev, mtime, content, xattrs,
            )  # fmt: skip
    for names in inodes.values():
        for name in names:
            found[name] = (*found[name], tuple(sorted(names)))
    return found
