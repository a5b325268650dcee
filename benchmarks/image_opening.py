"""One large layer, encrypted and opened: throughput beside skopeo alone, and the most memory of each process.

The registry, the client and the agent share the machine's cores.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.agent_service import KID, Scene, agent, scene
from benchmarks.processes import Process
from benchmarks.timing import Row
from tests.fakes.large_image import large_layout
from tests.fakes.peaks import Peak, run_to_end
from tests.fakes.registry import Registry
from tests.fakes.skopeo import Skopeo

__all__ = ["run"]

#: What a process may need more for the large layer than for one of 16 MB.
GOAL_KIB = 32 * 1024
_SMALL = 16
_PLAIN, _SEALED = "plain/app:1", "sealed/app:1"
_KEY = "provider:attestation-agent:benchmark"
_ACCEPT = '{"default": [{"type": "insecureAcceptAnything"}]}'
_NO_TLS = ("--src-tls-verify=false", "--dest-tls-verify=false")


def run(*, quick: bool) -> Iterator[Row]:
    large = 128 if quick else 1000
    with scene() as made, agent(made) as process:
        small = dict(_measure(made, process, _SMALL))
        subject = f"a layer of {large} MB, compressed to half"
        for what, peak in _measure(made, process, large):
            yield Row("image-opening", subject, what, large / peak.seconds, "MB/s")
            spent = peak.cpu_seconds / large * 1000
            yield Row("image-opening", subject, "  its CPU time for each GB", spent, "s/GB")
            for name, kib in peak.kib.items():
                yield Row("image-opening", subject, f"  most memory of {name}", kib / 1024, "MB")
                growth = kib - small[what].kib.get(name, 0)
                met = growth <= GOAL_KIB
                said = f"  more than for {_SMALL} MB"
                yield Row("image-opening", subject, said, growth, "KiB", f"≤ {GOAL_KIB}", met)


def _measure(made: Scene, process: Process, megabytes: int) -> Iterator[tuple[str, Peak]]:
    folder = made.folder / f"image-{megabytes}"
    plain = large_layout(folder / "layout", megabytes)
    with Registry(folder / "registry") as registry:
        yield from _Bench(made, process, registry, folder, plain).measure()
    shutil.rmtree(folder)


@dataclass(frozen=True, slots=True)
class _Bench:
    made: Scene
    agent: Process
    registry: Registry
    folder: Path
    plain: str

    def measure(self) -> Iterator[tuple[str, Peak]]:
        """What is done, and how that was; the image is pushed first."""
        skopeo = Skopeo.installed(self.folder)
        copy = (str(skopeo.program), "--insecure-policy", "copy", *_NO_TLS)
        plain, sealed = self.registry.image(_PLAIN), self.registry.image(_SEALED)
        providers = self.folder / "providers.json"
        grpc = {"attestation-agent": {"grpc": self.agent.address}}
        providers.write_text(json.dumps({"key-providers": grpc}))
        provider = {"OCICRYPT_KEYPROVIDER_CONFIG": str(providers)}
        seal = ("--encryption-key", f"provider:attestation-agent:keyid={KID}")
        run_to_end([*copy, self.plain, plain])
        yield "skopeo pushes, encrypting", run_to_end([*copy, *seal, self.plain, sealed], **provider)
        yield "skopeo pulls what is plain", self._gone(run_to_end([*copy, plain, self._into("dir")]))
        opening = [*copy, "--decryption-key", _KEY, sealed, self._into("dir")]
        yield "skopeo pulls, decrypting", self._gone(run_to_end(opening, **provider))
        yield "attestation-agent pull, and unpacks, what is plain", self._pull(_PLAIN)
        yield "attestation-agent pull, and unpacks, decrypting", self._pull(_SEALED)
        layout = self._into("oci") + ":1"
        run_to_end([*copy, plain, layout])
        source = ["--image", layout.removeprefix("oci:"), str(self.folder / "unpacked")]
        yield "umoci unpacks what skopeo has pulled", run_to_end(["umoci", "unpack", *source])

    def _pull(self, name: str) -> Peak:
        policy = self.folder / "policy.json"
        policy.write_text(_ACCEPT)
        reference = f"{self.registry.address}/{name}"
        arguments = ("pull", reference, "--into", str(self.folder / "out"), "--policy", str(policy))
        return self._gone(run_to_end(self.made.command(*arguments)))

    def _into(self, transport: str) -> str:
        return f"{transport}:{self.folder / 'out'}"

    def _gone(self, peak: Peak) -> Peak:
        shutil.rmtree(self.folder / "out")
        return peak
