"""The real docker-registry, filled with images as a test makes them."""

from __future__ import annotations

import httpx

from tests.fakes.pull_images import Image, digest
from tests.fakes.registry import Registry

__all__ = ["MANIFEST_TYPE", "push", "push_blob", "push_manifest"]

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


def push(registry: Registry, name: str, image: Image) -> str:
    """Put ``image`` there as ``repository:tag``; the digest of its manifest."""
    repository, _, tag = name.rpartition(":")
    for blob in image.blobs:
        push_blob(registry, repository, blob)
    return push_manifest(registry, repository, tag, image.manifest, MANIFEST_TYPE)


def push_blob(registry: Registry, repository: str, blob: bytes) -> str:
    """Put ``blob`` there; its digest."""
    with httpx.Client(base_url=f"http://{registry.address}", trust_env=False, verify=False) as http:  # noqa: S501 - no TLS
        started = http.post(f"/v2/{repository}/blobs/uploads/")
        assert started.status_code == 202, started.text
        where = httpx.URL(started.headers["location"]).copy_merge_params({"digest": digest(blob)})
        done = http.put(where, content=blob, headers={"Content-Type": "application/octet-stream"})
        assert done.status_code == 201, done.text
    return digest(blob)


def push_manifest(registry: Registry, repository: str, tag: str, manifest: bytes, media_type: str) -> str:
    """Put ``manifest`` there; its digest."""
    with httpx.Client(base_url=f"http://{registry.address}", trust_env=False, verify=False) as http:  # noqa: S501 - no TLS
        url = f"/v2/{repository}/manifests/{tag}"
        done = http.put(url, content=manifest, headers={"Content-Type": media_type})
        assert done.status_code == 201, done.text
    return digest(manifest)
