"""The real skopeo, and the pull, with keys by either module: what opens, and why the rest does not.

The ocicrypt of this skopeo keeps to itself what a key provider says: it names the layer. ``verdict image
decrypt --agent``, which drives it, says the cause.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from eaa.cli.verdict_image_provider import key_provider
from eaa.errors import EAAError
from eaa.oci.annotation import KEYS_ANNOTATION, encode_annotation
from eaa.oci.key_id import parse_key_id
from eaa.oci.layer_cipher import PUBLIC_OPTIONS_ANNOTATION
from eaa.oci.layer_key import wrap_options
from eaa.oci.signatures.reference import parse_reference
from eaa.services.attestation_agent.patience import Patience
from eaa.services.image_pull.pull import pull_image
from eaa.services.image_pull.sources import Sources
from tests.fakes.pull_guest import Guest as Puller
from tests.fakes.registry import Registry
from tests.fakes.runc import run_bundle
from tests.fakes.skopeo import Layout, Skopeo, busybox_image
from tests.fakes.skopeo_images import change_packet, copied
from tests.service.attestation_agents import Guest, RunningAgent, channel_of, running_agent
from tests.service.verdictds import Hardware, Running, running

HARDWARE = Hardware()
MODULES = ("cc_kbc", "eaa_kbc")
KEK = secrets.token_bytes(32)
KEY, OTHER, SHORT, LOCKED = "default/image/1", "default/image/2", "default/image/short", "locked/image/1"
SECRET = b"what only the guest may read\n"
DENY = "package policy\nimport rego.v1\ndefault allow := false\n"
#: Nobody waits long for a broker that is not there.
IMPATIENT = Patience(attempts=2, first_seconds=0.02, longest_seconds=0.05, request_seconds=5.0)


@dataclass(frozen=True)
class Scene:
    """Everything that is there before a guest asks: verdictd, its two agents, a registry, the image."""

    verdictd: Running
    agents: dict[str, RunningAgent]
    registry: Registry
    skopeo: Skopeo
    plain: Layout
    sealed: Layout

    def opened(self, image: str, agent: RunningAgent, folder: Path) -> tuple[int, str, Layout]:
        """What skopeo says of opening ``image`` with the keys of ``agent``."""
        config, back = folder / "providers.json", Layout(folder / "back")
        config.write_text(json.dumps({"key-providers": {"attestation-agent": {"grpc": address_of(agent)}}}))
        key = "provider:attestation-agent:guest"
        done = self.skopeo.copy("--decryption-key", key, image, back.image, provider=config)
        return done.code, done.err, back

    def pull(self, name: str, agent: RunningAgent, folder: Path) -> Puller:
        """A pull of ``name`` with the secrets of ``agent``."""
        puller = Puller(folder / "guest")
        policy = folder / "policy.json"
        policy.write_text(json.dumps(puller.policy))
        sources = Sources(agent.agent.secrets, str(policy), "", "")
        reference = parse_reference(f"{self.registry.address}/{name}")
        agent.run(pull_image(reference, puller.bundle, sources, puller.terms, puller))
        return puller

    def push(self, layout: Layout, name: str) -> str:
        image = self.registry.image(name)
        done = self.skopeo.copy(layout.image, image)
        assert done.code == 0, done.err
        return image


def address_of(agent: RunningAgent) -> str:
    """Of its key provider."""
    return agent.where("key provider").removeprefix("tcp://")


@pytest.fixture(scope="module", name="scene")
def make_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("scene")
    skopeo = Skopeo.installed(folder)
    plain = busybox_image(folder, SECRET)
    sealed = Layout(folder / "sealed")
    with ExitStack() as stack:
        registry = stack.enter_context(Registry(folder / "registry"))
        served = stack.enter_context(_verdictd(folder))
        agents = {
            module: stack.enter_context(_agent(folder / module, served.kbc_params(module)))
            for module in MODULES
        }
        with key_provider(wrap=_wrap) as provider:
            done = skopeo.copy(
                "--encryption-key", "provider:attestation-agent:x", plain.image, sealed.image,
                provider=Path(provider.config),
            )  # fmt: skip
        assert done.code == 0, done.err
        yield Scene(served, agents, registry, skopeo, plain, sealed)


def _wrap(options: bytes) -> bytes:
    packet = wrap_options(options, kek=KEK, kid=parse_key_id(f"kbs:///{KEY}"), iv=os.urandom(12))
    return encode_annotation(packet)


@contextmanager
def _verdictd(folder: Path) -> Iterator[Running]:
    channel = channel_of(Guest(HARDWARE), HARDWARE)
    with running(folder / "state", HARDWARE.source(), channel=channel) as served:
        served.trust(HARDWARE)
        for path, content in (
            (KEY, KEK), (OTHER, secrets.token_bytes(32)), (SHORT, b"short"), (LOCKED, KEK)
        ):  # fmt: skip
            served.put_resource(path, content)
        served.put_policy(DENY, "resource/locked")
        yield served


@contextmanager
def _agent(folder: Path, params: str) -> Iterator[RunningAgent]:
    folder.mkdir()
    guest = Guest(HARDWARE)
    with running_agent(
        folder, params, guest, channel=channel_of(guest, HARDWARE), patience=IMPATIENT
    ) as made:
        yield made


@pytest.fixture(params=MODULES, name="module")
def each_module(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture(name="agent")
def agent_of_module(scene: Scene, module: str) -> RunningAgent:
    return scene.agents[module]


@pytest.fixture(name="changed")
def copy_of_the_sealed(scene: Scene, tmp_path: Path) -> Layout:
    """The encrypted image, for a test to spoil."""
    return Layout(shutil.copytree(scene.sealed.folder, tmp_path / "changed"))


def test_skopeo_opens_it_from_a_registry(
    scene: Scene, agent: RunningAgent, module: str, tmp_path: Path
) -> None:
    image = scene.push(scene.sealed, f"skopeo/{module}:1")
    code, said, back = scene.opened(image, agent, tmp_path)
    assert code == 0, said
    assert back.manifest == scene.plain.manifest


def test_the_pull_opens_it_and_it_runs(
    scene: Scene, agent: RunningAgent, module: str, tmp_path: Path
) -> None:
    scene.push(scene.sealed, f"pull/{module}:1")
    puller = scene.pull(f"pull/{module}:1", agent, tmp_path)
    assert run_bundle(puller.bundle, tmp_path, "/bin/busybox", "cat", "/file-1").encode() == SECRET


# ── what has a wrong key: the agent is asked, and says why ──


def _kid(path: str) -> Callable[[Layout], None]:
    return lambda layout: change_packet(layout, 1, kid=f"kbs:///{path}")


def _no_annotation(layout: Layout) -> None:
    manifest = layout.manifest
    manifest["layers"][1]["annotations"][KEYS_ANNOTATION] = base64.b64encode(b'{"kid":').decode()
    layout.write(manifest)


KEYS = {
    "another key": (_kid(OTHER), "signature.wrapped_key", "does not open"),
    "no key": (_kid(SHORT), "format.kek", "32"),
    "wrong path": (
        _kid("default/image/no"),
        "resource_not_found",
        "verdict resource put default/image/no",
    ),
    "refused policy": (_kid(LOCKED), "access_denied", "verdict explain"),
    "corrupted annotation": (_no_annotation, "format.not_json", "annotation"),
}
KEY_CASES = pytest.mark.parametrize(("spoil", "code", "words"), KEYS.values(), ids=KEYS)


@KEY_CASES
def test_skopeo_says_what_the_agent_says_of_a_key(
    scene: Scene, agent: RunningAgent, changed: Layout, tmp_path: Path, caplog: pytest.LogCaptureFixture,
    spoil: Callable[[Layout], None], code: str, words: str,
) -> None:  # fmt: skip
    spoil(changed)
    exit_code, said, _ = scene.opened(changed.image, agent, tmp_path)
    assert (exit_code, changed.layers[1]["digest"] in said) == (1, True), said
    (logged,) = [item.getMessage() for item in caplog.records if item.name == "eaa.attestation_agent"]
    assert f"UnWrapKey: {code}" in logged
    assert words in logged


@KEY_CASES
def test_verdict_says_it_of_the_layer(
    scene: Scene, agent: RunningAgent, changed: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Layout], None], code: str, words: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("VERDICT_SKOPEO", str(scene.skopeo.program))
    spoil(changed)
    done = copied("decrypt", changed.image, f"oci:{tmp_path / 'back'}:v1", "--agent", address_of(agent))
    assert done.code in {1, 10}
    assert f"layer 2 of 2 ({changed.layers[1]['digest']})" in done.err
    assert f"the agent at {address_of(agent)} refuses: " in done.err
    assert words in done.err


@KEY_CASES
def test_the_pull_says_it_of_the_layer(
    scene: Scene, agent: RunningAgent, changed: Layout, tmp_path: Path, module: str,
    spoil: Callable[[Layout], None], code: str, words: str,
) -> None:  # fmt: skip
    spoil(changed)
    name = f"{module}/{code.replace('.', '-')}:1".lower()
    scene.push(changed, name)
    error = _refused(scene, name, agent, tmp_path)
    assert error.code.startswith(code)
    assert "layer 2 of 2" in str(error)
    assert words in str(error)


@pytest.fixture(name="dead")
def agent_of_a_dead_verdictd(module: str, tmp_path: Path) -> Iterator[RunningAgent]:
    params = "cc_kbc::http://127.0.0.1:1" if module == "cc_kbc" else "eaa_kbc::127.0.0.1:1"
    with _agent(tmp_path / "agent", params) as agent:
        yield agent


def test_verdictd_is_dead(
    scene: Scene, dead: RunningAgent, module: str, tmp_path: Path, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    exit_code, said, _ = scene.opened(scene.sealed.image, dead, tmp_path)
    assert (exit_code, scene.sealed.layers[0]["digest"] in said) == (1, True)
    monkeypatch.setenv("VERDICT_SKOPEO", str(scene.skopeo.program))
    done = copied("decrypt", scene.sealed.image, f"oci:{tmp_path / 'out'}:v1", "--agent", address_of(dead))
    assert (done.code, "layer 1 of 2" in done.err) == (40, True)
    assert "no answer from the agent" not in done.err
    for text in (done.err, caplog.text):
        assert f"{module}: " in text
        assert "see whether the broker at" in text
        assert "127.0.0.1:1" in text
    scene.push(scene.sealed, f"dead/{module}:1")
    error = _refused(scene, f"dead/{module}:1", dead, tmp_path)
    assert error.code == "remote_protocol.unreachable"
    assert "layer 1 of 2" in str(error)


# ── what has the right key and other bytes: the agent has nothing to object to, who decrypts does ──


def _truncate(layout: Layout) -> None:
    layout.change_blob(1, lambda data: data[:-100])


def _flip(layout: Layout) -> None:
    layout.change_blob(1, lambda data: bytes([data[0] ^ 1]) + data[1:])


def _swap(layout: Layout) -> None:
    """Each layer's bytes with the other's keys."""
    manifest = layout.manifest
    first, second = manifest["layers"]
    for member in ("digest", "size"):
        first[member], second[member] = second[member], first[member]
    layout.write(manifest)


def _bad_hmac(layout: Layout) -> None:
    manifest = layout.manifest
    annotations = manifest["layers"][1]["annotations"]
    public = json.loads(base64.b64decode(annotations[PUBLIC_OPTIONS_ANNOTATION]))
    public["hmac"] = base64.b64encode(bytes(32)).decode()
    annotations[PUBLIC_OPTIONS_ANNOTATION] = base64.b64encode(json.dumps(public).encode()).decode()
    layout.write(manifest)


BYTES = {"truncated": _truncate, "changed": _flip, "swapped layers": _swap, "bad HMAC": _bad_hmac}
BYTE_CASES = pytest.mark.parametrize("spoil", BYTES.values(), ids=BYTES)


@BYTE_CASES
def test_skopeo_refuses_other_bytes(
    scene: Scene, agent: RunningAgent, changed: Layout, tmp_path: Path, spoil: Callable[[Layout], None]
) -> None:
    spoil(changed)
    exit_code, said, _ = scene.opened(changed.image, agent, tmp_path)
    assert exit_code == 1
    assert "could not properly decrypt byte stream; exp hmac" in said


@BYTE_CASES
def test_the_pull_refuses_other_bytes(
    scene: Scene, agent: RunningAgent, changed: Layout, tmp_path: Path, module: str,
    spoil: Callable[[Layout], None],
) -> None:  # fmt: skip
    spoil(changed)
    name = f"{module}/{spoil.__name__.strip('_')}:1"
    scene.push(changed, name)
    error = _refused(scene, name, agent, tmp_path)
    assert error.code == "signature.layer_hmac"
    assert "layer " in str(error)


def test_layers_in_another_order_are_refused_by_the_pull(
    scene: Scene, agent: RunningAgent, changed: Layout, module: str, tmp_path: Path
) -> None:
    """With keys and HMAC of their own they open; the image's configuration says what they have to be."""
    manifest = changed.manifest
    manifest["layers"].reverse()
    changed.write(manifest)
    scene.push(changed, f"{module}/reversed:1")
    assert _refused(scene, f"{module}/reversed:1", agent, tmp_path).code == "binding.diff_id"


def _refused(scene: Scene, name: str, agent: RunningAgent, folder: Path) -> EAAError:
    with pytest.raises(EAAError) as caught:
        scene.pull(name, agent, folder)
    assert not (folder / "guest" / "bundle").exists()
    return caught.value
