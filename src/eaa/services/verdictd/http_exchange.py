"""One request over ASGI and its answer, for routes that are asked all the time."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from eaa.errors import LimitExceeded

__all__ = ["Exchange"]


class Exchange:
    """A request as it came, and :meth:`answer`; ``answered`` once that has begun. Headers are in Latin-1."""

    __slots__ = ("_receive", "_send", "answered", "scope")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope, self._receive, self._send = scope, receive, send
        self.answered = False

    @property
    def method(self) -> str:
        return str(self.scope["method"])

    @property
    def path(self) -> str:
        return str(self.scope["path"])

    @property
    def request(self) -> Request:
        """As Starlette has it; to be read, body included, instead of this."""
        return Request(self.scope, self._receive)

    @property
    def request_id(self) -> str:
        """What the log names the request by, if anything."""
        return str(self.scope.get("request_id", ""))

    @property
    def is_secure(self) -> bool:
        """Whether the client speaks TLS with this process."""
        return bool(self.scope["scheme"] == "https")

    @property
    def peer(self) -> str:
        """The address of the client, without port."""
        client = self.scope.get("client")
        return str(client[0]) if client else "unix"

    @property
    def query(self) -> dict[str, str]:
        """The parameters; of one that came several times the last."""
        text = self.scope["query_string"]
        return dict(parse_qsl(text.decode("latin-1"), keep_blank_values=True)) if text else {}

    def headers(self, name: bytes) -> list[str]:
        """The values of the header of this ``name``, which is in lower case."""
        return [value.decode("latin-1") for key, value in self.scope["headers"] if key == name]

    async def body(self, limit: int) -> bytes:
        """The whole body, of at most ``limit`` bytes.

        Raises:
            LimitExceeded: ``limit.size``.
            ClientDisconnect: it ended too early.
        """
        parts: list[bytes] = []
        left = limit
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            part = message.get("body", b"")
            left -= len(part)
            if left < 0:
                raise LimitExceeded(f"the body has more than {limit} bytes", detail="size")
            parts.append(part)
            if not message.get("more_body"):
                return b"".join(parts)

    async def give(self, response: Response) -> None:
        """Send ``response``."""
        self.answered = True
        await response(self.scope, self._receive, self._send)

    async def answer(
        self, status: int, body: bytes, *headers: tuple[bytes, bytes], kind: bytes = b"application/json"
    ) -> None:
        """Send the whole answer; its length and ``kind`` are headers too."""
        self.answered = True
        shown = [(b"content-length", b"%d" % len(body)), (b"content-type", kind), *headers]
        await self._send({"type": "http.response.start", "status": status, "headers": shown})
        await self._send({"type": "http.response.body", "body": body})
