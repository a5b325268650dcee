"""A verdictd as the process that users start, its administrator, and guests of its simulated vendor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from eaa.attester.simulated_attester import StoredSimulatedAttester
from eaa.attester.simulated_store import SimulatedStore
from eaa.broker.admin_credentials import issue_admin_token
from eaa.evidence.dcap_quote import parse_quote_frame
from eaa.evidence.tdx import TdReport
from eaa.services.verdictd.admin_key import load_admin_key
from tests.cli.serving import Serving, serving
from tests.fakes.kbs_client import Guest, KbsClient, TeeKey
from tests.fakes.simulated_amd import seed_simulated_amd

__all__ = ["QUIET", "Broker", "broker", "simulated_td"]

#: Without the two listeners that a test of HTTP does not need.
QUIET = ("--http", "127.0.0.1:0", "--listen", "", "--client-api", "")
_SECONDS = 30


@dataclass(slots=True)
class Broker:
    """A verdictd that serves, with its files below ``folder``: ``state`` and ``vendor``."""

    serving: Serving
    folder: Path
    verify: Any = True
    clients: list[httpx.Client] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.serving.address

    @property
    def metrics_url(self) -> str:
        return self.serving.said(r"metrics on (\S+)/metrics")

    @property
    def pid(self) -> int:
        return self.serving.process.pid

    def http(self) -> httpx.Client:
        """A client with cookies of its own."""
        client = httpx.Client(base_url=self.url, timeout=_SECONDS, verify=self.verify, trust_env=False)
        self.clients.append(client)
        return client

    def admin_token(self) -> str:
        key = load_admin_key(self.folder / "state" / "admin" / "admin-key.pem")
        return issue_admin_token(
            key.private, key.kid, name="test", role="admin", now=datetime.now(UTC), seconds=600
        )

    def admin(self) -> httpx.Client:
        """An administrator's client."""
        client = self.http()
        client.headers["authorization"] = f"Bearer {self.admin_token()}"
        return client

    def guest(self) -> KbsClient:
        """A TD of the simulated vendor in ``vendor``."""
        return KbsClient(Guest("tdx", self.quote, TeeKey("ECDH-ES+A256KW-P256")), self.http())

    def quote(self, report_data: bytes) -> bytes:
        return simulated_td(self.folder / "vendor").collect(report_data).evidence

    def put_resource(self, path: str, content: bytes) -> None:
        self.admin().put(f"/eaa/v1/resources/{path}", content=content).raise_for_status()

    def trust_guests(self) -> None:
        """Reference values under which :meth:`guest` is affirming."""
        report = parse_quote_frame(self.quote(bytes(64))).body
        assert isinstance(report, TdReport)
        fields = {"mr_td": "mr_td", "rtmr_1": "rt_mr1", "rtmr_2": "rt_mr2", "xfam": "xfam"}
        values = {name: [getattr(report, held).hex()] for name, held in fields.items()}
        self.admin().put("/eaa/v1/references", json={"values": values}).raise_for_status()


@contextmanager
def broker(
    folder: Path, *options: object, env: Mapping[str, str] | None = None, verify: Any = True
) -> Iterator[Broker]:
    """``verdictd`` with ``options``, and a metrics port, until the block ends."""
    own = ("--metrics", "127.0.0.1:0", "--state-directory", folder / "state")
    vendor: tuple[object, ...] = ()
    if "--collateral" not in options:
        seed_simulated_amd(folder / "vendor")
        vendor = ("--simulated", "--simulated-dir", folder / "vendor")
    with serving("verdictd", *QUIET, *own, *vendor, *options, env=env) as process:
        made = Broker(process, folder, verify)
        try:
            yield made
        finally:
            for client in made.clients:
                client.close()


def simulated_td(vendor: Path) -> StoredSimulatedAttester:
    """A TD of the vendor in the folder ``vendor``, with its endorsements."""
    return StoredSimulatedAttester(
        "simulated",
        "tdx",
        store=SimulatedStore(vendor),
        now=lambda: datetime.now(UTC),
        fields={},
        debug=False,
    )
