"""The ends that figures on channels connect: a server in a process of its own, and clients of it.

``python -m benchmarks.ends FOLDER KIND…`` serves one address for each kind, prints them as JSON, and ends
with its standard input. Both ends authenticate themselves under every kind. A message is a length, 8 bytes,
and that many bytes; it is answered with one byte as soon as it has come.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from benchmarks.plain_tls import PlainIdentity, open_plain, start_plain
from benchmarks.processes import Process, python, running, says
from eaa.cli.channel_options import ChannelOptions, build_channel_config
from eaa.tls.peer import Profile, Role
from eaa.transport.config import ChannelConfig
from eaa.transport.streams import open_attested_connection, start_attested_server

__all__ = ["ATTESTED", "EXPORTER", "PLAIN", "RATLS", "Clients", "Stream", "send", "serving"]

PLAIN, EXPORTER, RATLS = "plain", str(Profile.EXPORTER_V1), str(Profile.RATLS_CERT)
#: The options of the programs for mutual attestation without hardware, all but the folder.
ATTESTED = ("--attester", "simulated", "--verifier", "simulated", "--mutual", "--log-level", "error")
_LENGTH_BYTES = 8
_READ_BYTES, WRITE_BYTES = 256 * 1024, 64 * 1024
_CHUNK = bytes(WRITE_BYTES)
# Every connection would say that simulated evidence proves nothing.
logging.getLogger("eaa").setLevel(logging.ERROR)


class Stream(Protocol):
    """What attested and plain streams have in common."""

    async def read(self, count: int) -> bytes: ...
    async def readexactly(self, count: int) -> bytes: ...
    def write(self, data: bytes) -> None: ...
    async def drain(self) -> None: ...
    def close(self) -> None: ...


class Clients:
    """Opens streams as a client with keys of its own. ``folder`` has the simulated vendor."""

    def __init__(self, folder: Path) -> None:
        self._context = PlainIdentity.at(folder).context(Role.CLIENT)
        self._configs = {kind: _config(folder, kind) for kind in (EXPORTER, RATLS)}

    async def open(self, kind: str, address: str) -> Stream:
        if kind == PLAIN:
            return await open_plain(address, self._context)
        return await open_attested_connection(f"tcp://{address}", self._configs[kind])


async def send(stream: Stream, size: int) -> None:
    """A message of ``size`` bytes, until it is answered."""
    stream.write(size.to_bytes(_LENGTH_BYTES, "big"))
    while size:
        chunk = _CHUNK if size >= WRITE_BYTES else _CHUNK[:size]
        stream.write(chunk)
        await stream.drain()
        size -= len(chunk)
    await stream.readexactly(1)


@contextmanager
def serving(folder: Path, *kinds: str) -> Iterator[tuple[Process, dict[str, str]]]:
    """The process that serves ``kinds``, and the address of each."""
    command = python("benchmarks.ends", str(folder), *kinds)
    with running(command, folder, says(r"(?m)^(\{.*\})$")) as process:
        yield process, json.loads(process.address)


async def _answer(stream: Stream) -> None:
    while length := await stream.read(_LENGTH_BYTES):
        if len(length) < _LENGTH_BYTES:
            length += await stream.readexactly(_LENGTH_BYTES - len(length))
        left = int.from_bytes(length, "big")
        while left:
            left -= len(await stream.read(min(left, _READ_BYTES)))
        stream.write(b"\0")
        await stream.drain()


async def _serve(folder: Path, kinds: list[str]) -> None:
    servers, addresses = [], {}
    for kind in kinds:
        if kind == PLAIN:
            server, addresses[kind] = await start_plain(
                _answer, PlainIdentity.at(folder).context(Role.SERVER)
            )
            servers.append(server)
        else:
            attested = await start_attested_server(_answer, "tcp://127.0.0.1:0", _config(folder, kind))
            addresses[kind] = attested.address.removeprefix("tcp://")
    print(json.dumps(addresses), flush=True)
    await asyncio.to_thread(sys.stdin.read)


def _config(folder: Path, kind: str) -> ChannelConfig:
    options = ChannelOptions(
        attester="simulated", verifier="simulated", mutual=True, profile=Profile(kind),
        simulated_dir=str(folder / "vendor"),
    )  # fmt: skip
    return build_channel_config(options, needs_attester=True, needs_verifier=True)[0]


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), sys.argv[2:]))
