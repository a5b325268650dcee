"""Keys of image layers through attestation-agent, the time to a first secret, and many secrets."""

from __future__ import annotations

import asyncio
import resource
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import Any

import grpc

from benchmarks.agent_service import KEK, KID, Scene, agent, scene
from benchmarks.processes import Process
from benchmarks.timing import Row
from benchmarks.verdictd_service import SECRET, fill, path_of
from eaa.oci.annotation import encode_annotation
from eaa.oci.digest import digest_of
from eaa.oci.key_id import parse_key_id
from eaa.oci.keyprovider import UnwrapRequest, encode_unwrap_request
from eaa.oci.layer_key import LayerOptions, encode_layer_options, wrap_options
from eaa.transport.grpc.wire import confidential_data_pb2 as cdh
from eaa.transport.grpc.wire import keyprovider_pb2 as keyprovider

__all__ = ["run"]

_UNWRAP = "/keyprovider.KeyProviderService/UnWrapKey"
_RESOURCE = "/api.GetResourceService/GetResource"
_SECRETS = 100
_SECONDS = 60.0


def run(*, quick: bool) -> Iterator[Row]:
    rounds, calls = (3, 500) if quick else (9, 2000)
    with scene() as made:
        fill(made.where, _SECRETS, 0)
        with agent(made) as process:
            for callers in (1, 32):
                yield from _unwraps(process, callers, rounds, calls)
        yield from _asked_each_time(made, calls // 5)
        yield from _first_secret(made, rounds)
        yield from _hundred(made, rounds)


def _unwraps(process: Process, callers: int, rounds: int, calls: int) -> Iterator[Row]:
    """With the key kept in memory."""
    subject = f"layer keys unwrapped, {callers} {'at a time' if callers > 1 else 'after the other'}"
    _ask(process, _UNWRAP, [_packet()] * 50, callers)
    cpu = process.cpu_seconds()
    seconds = [_ask(process, _UNWRAP, [_packet()] * calls, callers) for _ in range(rounds)]
    spent = (process.cpu_seconds() - cpu) / (rounds * calls)
    yield Row("agent-keys", subject, "unwraps", calls / statistics.median(seconds), "/s")
    yield Row("agent-keys", subject, "CPU time of the agent for each", spent * 1e6, "µs")


def _asked_each_time(made: Scene, calls: int) -> Iterator[Row]:
    with agent(made, "--cache-seconds", "0") as process:
        _ask(process, _UNWRAP, [_packet()] * 20, 1)
        seconds = _ask(process, _UNWRAP, [_packet()] * calls, 8)
    what = "unwraps, verdictd asked for each, 8 at a time"
    yield Row("agent-keys", "nothing kept in memory", what, calls / seconds, "/s")


def _first_secret(made: Scene, rounds: int) -> Iterator[Row]:
    """A process from its start to its end, which is a moment after the secret."""
    subject = "from the agent's start to its first secret"
    for what, command, expected in (
        ("start, attest, fetch", made.command("get-resource", path_of(0)), SECRET),
        ("start alone", made.command("--help"), b""),
        ("a Python that does nothing", [sys.executable, "-c", ""], b""),
    ):
        seconds, cpu = _processes(command, rounds, expected)
        yield Row("agent-keys", subject, what, seconds * 1000, "ms")
        yield Row("agent-keys", subject, f"{what}: CPU time", cpu * 1000, "ms")


def _hundred(made: Scene, rounds: int) -> Iterator[Row]:
    """Of an agent that has attested to nobody yet."""
    wanted = [cdh.GetResourceRequest(ResourcePath=path_of(number)) for number in range(_SECRETS)]
    for callers in (1, 16):
        taken = []
        for _ in range(rounds):
            with agent(made) as process:
                taken.append(_ask(process, _RESOURCE, wanted, callers))
        subject = f"{_SECRETS} secrets with one attestation"
        what = "one after the other" if callers == 1 else f"{callers} at a time"
        yield Row("agent-keys", subject, what, statistics.median(taken) * 1000, "ms")


def _processes(command: Sequence[str], rounds: int, expected: bytes) -> tuple[float, float]:
    """The medians of what a clock shows and of the CPU time, in seconds."""
    taken, spent = [], []
    for _ in range(rounds):
        began, cpu = perf_counter(), _children_seconds()
        done = subprocess.run(command, capture_output=True, check=True, timeout=_SECONDS)
        taken.append(perf_counter() - began)
        spent.append(_children_seconds() - cpu)
        if expected and done.stdout != expected:
            raise RuntimeError(f"another secret: {done.stdout!r}")
    return statistics.median(taken), statistics.median(spent)


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _packet() -> Any:
    """As ocicrypt asks, for a layer of its own."""
    options = encode_layer_options(LayerOptions(bytes(32), digest_of(b""), bytes(16)))
    packet = encode_annotation(wrap_options(options, kek=KEK, kid=parse_key_id(KID), iv=bytes(12)))
    return keyprovider.keyProviderKeyWrapProtocolInput(
        KeyProviderKeyWrapProtocolInput=encode_unwrap_request(UnwrapRequest(packet, ("benchmark",)))
    )


def _ask(process: Process, method: str, requests: Sequence[Any], callers: int) -> float:
    """Seconds until all ``requests`` are answered."""
    return asyncio.run(_ask_all(process.address, method, requests, callers))


async def _ask_all(address: str, method: str, requests: Sequence[Any], callers: int) -> float:
    left = iter([item.SerializeToString() for item in requests])
    async with grpc.aio.insecure_channel(address) as channel:
        ask = channel.unary_unary(method)
        await channel.channel_ready()

        async def one() -> None:
            for request in left:
                await ask(request, timeout=_SECONDS)

        began = perf_counter()
        await asyncio.gather(*(one() for _ in range(callers)))
        return perf_counter() - began
