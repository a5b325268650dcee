"""pccs from its cache, beside nginx with the same bodies and headers as static files: two processes each.

The client needs the same cores, so that what two cores can serve is told by CPU time too.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.pccs_load import Load, answer_of, measure
from benchmarks.processes import Process, connects, free_port, python, running, says
from benchmarks.timing import Row, Times
from eaa.attester.simulated import SimulatedPlatform, SimulatedVendor
from eaa.attester.simulated.tcb_info import SimulatedTcbLevel
from eaa.storage.collateral.database import CollateralDatabase
from eaa.storage.collateral.records import Document

__all__ = ["run"]

PCCS, NGINX = "pccs", "nginx"
CONNECTIONS, WORKERS = 32, 2
#: As many as Intel publishes for a platform today.
_LEVELS = 17
_PATH = "/tdx/certification/v4/tcb"
_CHAIN = "TCB-Info-Issuer-Chain"
_NGINX = """
daemon off;
worker_processes {workers};
pid {folder}/nginx.pid;
error_log stderr error;
{user}
events {{ worker_connections 1024; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000000;
  open_file_cache max=16;
  default_type "application/json; charset=utf-8";
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port} reuseport;
    root {folder}/root;
    add_header {name} "{chain}";
  }}
}}
"""


def run(*, quick: bool) -> Iterator[Row]:
    rounds, requests = (3, 20_000) if quick else (7, 60_000)
    with tempfile.TemporaryDirectory(prefix="eaa-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        document = _document()
        asyncio.run(_keep(folder, document))
        request = f"GET {_PATH}?fmspc=45414153494D HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        processes = {PCCS: stack.enter_context(_pccs(folder))}
        program = shutil.which("nginx", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin")))
        if program:
            processes[NGINX] = stack.enter_context(
                _nginx(program, folder, answer_of(processes[PCCS], request))
            )
        loads = _loads(processes, request, requests, rounds)
    yield from _rows(loads, len(document.body))


def _rows(loads: dict[str, list[Load]], size: int) -> Iterator[Row]:
    subject = (
        f"TCB info of {size / 1024:.0f} KiB from the cache, {CONNECTIONS} connections, {WORKERS} processes"
    )
    wall = Times({name: [load.microseconds for load in each] for name, each in loads.items()})
    cpu = Times({name: [load.cpu_microseconds for load in each] for name, each in loads.items()})
    p99 = Times({name: [load.milliseconds(99) for load in each] for name, each in loads.items()})
    for name in loads:
        yield Row("pccs", subject, f"{name}: beside the client", 1e6 / wall.median(name), "/s")
        yield Row("pccs", subject, f"{name}: two cores, by CPU time", WORKERS * 1e6 / cpu.median(name), "/s")
        yield Row("pccs", subject, f"{name}: p99", p99.median(name), "ms")
    if NGINX not in loads:
        yield Row("pccs", subject, "nginx is MISSING: apt-get install nginx", 0, "")
        return
    yield Row("pccs", subject, "pccs / nginx, beside the client", wall.ratio(NGINX, PCCS), "×")
    yield Row("pccs", subject, "pccs / nginx, by CPU time", cpu.ratio(NGINX, PCCS), "×")


def _loads(
    processes: dict[str, Process], request: bytes, requests: int, rounds: int
) -> dict[str, list[Load]]:
    """Each process once per round, in an order that turns around; one round more goes before."""
    found: dict[str, list[Load]] = {name: [] for name in processes}
    for turn in range(rounds + 1):
        for name in processes if turn % 2 else reversed(processes):
            # Twice: where it was not asked before, the first answer is made the long way.
            sizes = {len(answer_of(processes[name], request)) for _ in range(4 * WORKERS)}
            load = measure(
                processes[name], request, max(sizes), requests if turn else requests // 5, CONNECTIONS
            )
            if turn:
                found[name].append(load)
    return found


def _document() -> Document:
    now = datetime.now(UTC).replace(microsecond=0)
    platform = SimulatedPlatform(SimulatedVendor(now=now))
    info = platform.tcb_info["tdx"]
    first = info.levels[0]
    info.levels = [
        SimulatedTcbLevel(
            sgx_components=bytes(max(0, svn - n) for svn in first.sgx_components), pce_svn=first.pce_svn,
            tdx_components=first.tdx_components, tcb_date=first.tcb_date, status=first.status,
            advisory_ids=[f"INTEL-SIM-{number:05d}" for number in range(n)],
        )
        for n in range(_LEVELS)
    ]  # fmt: skip
    signed = info.sign()
    body = b'{"tcbInfo":%b,"signature":"%b"}' % (signed.body, signed.signature.hex().encode())
    name = f"intel/tcb/tdx/{platform.pck.fmspc.hex()}/standard"
    never = now + timedelta(days=20)
    return Document(name, body, signed.issuer_chain.decode(), 17, now, never, now, never)


async def _keep(folder: Path, document: Document) -> None:
    database = await CollateralDatabase.open(f"sqlite:///{folder / 'state' / 'pccs.sqlite'}")
    try:
        await database.documents.put(document, lambda _: None)
    finally:
        await database.close()


def _pccs(folder: Path) -> AbstractContextManager[Process]:
    command = python(
        "eaa.cli.pccs", "--mode", "offline", "--state-directory", str(folder / "state"), "--listen",
        "127.0.0.1:0", "--metrics", "", "--workers", str(WORKERS), "--log-level", "warn",
        "--drain-seconds", "0",
    )  # fmt: skip
    return running(command, folder, says(r"listening on http://(\S+)"))


def _nginx(program: str, folder: Path, answer: bytes) -> AbstractContextManager[Process]:
    """With the body of ``answer`` and its chain."""
    head, _, body = answer.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n")[1:])
    chain = next(value for name, value in headers.items() if name.lower() == _CHAIN.lower())
    own = folder / "nginx"
    place = own / "root" / _PATH.lstrip("/")
    place.parent.mkdir(parents=True)
    place.write_bytes(body)
    for each in (folder, own, own / "root"):
        each.chmod(0o755)
    port = free_port()
    (own / "settings").write_text(
        _NGINX.format(
            workers=WORKERS, folder=own, port=port, name=_CHAIN, chain=chain,
            user="user root;" if os.geteuid() == 0 else "",
        )
    )  # fmt: skip
    return running([program, "-p", str(own), "-c", str(own / "settings")], own, connects(port))
