"""The administrative faces of a verdictd, HTTP and gRPC, on loopback, over memory and the real engine."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from eaa.broker.admin_credentials import AdminCredentials, AdminKey
from eaa.broker.admin_token import issue_admin_token
from eaa.broker.administration import Administration, Principal
from eaa.broker.administration.signed_references import NO_SIGNERS, ReferenceSigners
from eaa.broker.decision_id import decision_id
from eaa.policy.regorus_engine import RegorusEngine
from eaa.services.verdictd.admin_key import PRIVATE_FILE, load_or_create_admin_key
from eaa.services.verdictd.grpc_admin import grpc_handlers
from eaa.services.verdictd.http_admin import admin_routes, resource_endpoint
from eaa.transport.grpc.server import ClientApiServer, Limits, TlsFiles
from tests.fakes.memory_stores import MemoryStores

__all__ = ["AdminServer"]

T = TypeVar("T")
_SECONDS = 30.0


class AdminServer:
    """Serves from entering to leaving. ``folder`` gets the admin key, as at the first start of verdictd."""

    def __init__(
        self,
        folder: Path,
        *,
        tls: TlsFiles | None = None,
        limits: Limits | None = None,
        stores: Any = None,
        signers: ReferenceSigners = NO_SIGNERS,
    ) -> None:
        self.key, _ = load_or_create_admin_key(folder)
        self.key_file = folder / PRIVATE_FILE
        self.stores = stores or MemoryStores()
        self.administration = Administration(
            self.stores,
            RegorusEngine(),
            now=_now,
            new_id=lambda now: decision_id(now, os.urandom(10)),
            random=os.urandom,
            aside=asyncio.to_thread,
            signers=signers,
        )
        self.seen: list[str] = []
        self._credentials = AdminCredentials([AdminKey(self.key.kid, self.key.private.public_key())])
        self._tls, self._limits = tls, limits or Limits()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def client_api(self) -> str:
        return f"127.0.0.1:{self._grpc_port}"

    def token(self, role: str = "admin", name: str = "ada") -> str:
        return issue_admin_token(self.key.private, self.key.kid, name, role, _now(), 60)

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of ``work`` on the server's event loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_SECONDS)

    def __enter__(self) -> AdminServer:
        self._thread.start()
        self._port, self._grpc_port = self.call(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_SECONDS)
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    async def _start(self) -> tuple[int, int]:
        shared = resource_endpoint(self.administration, self._authenticate)

        async def resource(request: Request) -> Response:
            return await shared(request, request.path_params["path"])

        routes = [
            *admin_routes(self.administration, self._authenticate, now=_now),
            Route("/kbs/v0/resource/{path:path}", resource, methods=["POST", "DELETE"]),
        ]
        config = uvicorn.Config(Starlette(routes=routes), log_config=None, lifespan="off")
        self._http = uvicorn.Server(config)
        listening = socket.create_server(("127.0.0.1", 0))
        self._serving = asyncio.create_task(self._http.serve(sockets=[listening]))
        self._grpc = ClientApiServer(
            "127.0.0.1:0",
            grpc_handlers(self.administration),
            self._authenticate,
            tls=self._tls,
            limits=self._limits,
        )
        grpc_port = await self._grpc.start()
        while not self._http.started:
            await asyncio.sleep(0.01)
        return listening.getsockname()[1], grpc_port

    async def _stop(self) -> None:
        await self._grpc.stop(1.0)
        self._http.should_exit = True
        await self._serving

    def _authenticate(self, token: str) -> Principal:
        principal = self._credentials.verify(token, now=_now())
        self.seen.append(principal.name)
        return principal


def _now() -> datetime:
    return datetime.now(UTC)
