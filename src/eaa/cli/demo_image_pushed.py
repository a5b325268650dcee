"""The owner's part of the demo's image: key made and kept, layers encrypted, put into a registry."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from eaa.cli.demo_broker_owner import Owner
from eaa.cli.demo_cases import ACCEPTED, Shown
from eaa.cli.demo_flow_attacks import Outcome
from eaa.cli.demo_image_layout import TAG, Layout, seal_layout
from eaa.cli.demo_image_registry import docker_registry, handed_out
from eaa.cli.demo_image_tools import Tools

__all__ = ["pushed"]

_KEY, _KEY_BYTES = "default/image-kek/demo", 32
_NAME = f"demo/app:{TAG}"


@contextmanager
def pushed(owner: Owner, plain: Layout, tools: Tools) -> Iterator[tuple[str, Outcome]]:
    """Where ``plain`` can be pulled, encrypted by the best that there is, until the block ends.

    Raises:
        InternalError: a program fails.
    """
    sealed = Layout(owner.folder / "sealed")
    if tools.skopeo and tools.registry:
        with docker_registry(tools.registry, owner.folder / "registry") as address:
            reference = f"{address}/{_NAME}"
            count = _encrypt(owner, plain, f"docker://{reference}", tools.skopeo)
            yield reference, _outcome(count, "by skopeo, and pushed to docker-registry")
        return
    if tools.skopeo:
        outcome = _outcome(_encrypt(owner, plain, sealed.image, tools.skopeo), "by skopeo, into a folder")
    else:
        kek = secrets.token_bytes(_KEY_BYTES)
        owner.put_resource(_KEY, kek)
        seal_layout(plain, sealed.folder, kek=kek, key_id=f"kbs:///{_KEY}")
        outcome = _outcome(len(json.loads(sealed.manifest)["layers"]), "into a folder")
    with handed_out(sealed) as address:
        yield f"{address}/{_NAME}", outcome


def _encrypt(owner: Owner, plain: Layout, destination: str, skopeo: str) -> int:
    """How many layers it has; that all are encrypted is what the command itself establishes."""
    said = owner.verdict(
        "image", "encrypt", plain.image, destination, "--key-id", f"kbs:///{_KEY}", "--skopeo", skopeo,
        "--insecure-policy", "--no-dest-tls-verify", "-o", "json",
    )  # fmt: skip
    return len(json.loads(said)["layers"])


def _outcome(layers: int, how: str) -> Outcome:
    reason = f"{layers} layers encrypted {how}; verdictd keeps their key, kbs:///{_KEY}"
    return Outcome("encrypted", ACCEPTED, Shown(ACCEPTED, ACCEPTED, reason))
