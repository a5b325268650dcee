"""Nodes that are asked, by address; several at once, a bounded number at a time."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import click

from eaa.cli.files import load_input
from eaa.errors import ConfigError, FormatError, UsageError
from eaa.transport.address import parse_address

__all__ = ["DEFAULT_NODE", "Node", "ask_all", "load_nodes", "parse_nodes"]

#: Evidence is verified in threads: more at a time only wait for each other.
MAX_AT_ONCE = 16
_MAX_NODES = 10_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Node:
    """Where a node may be, the first address at which somebody is."""

    addresses: tuple[str, ...]

    def __str__(self) -> str:
        return self.addresses[0]


#: As the original tries them where it is given no address.
DEFAULT_NODE = Node(("tcp://127.0.0.1:1234", "unix:///run/enclave-tls/tls.sock"))


def parse_nodes(addresses: Iterable[str], file: str | None) -> tuple[Node, ...]:
    """The nodes of ``--addr`` and of the file, each once; without any the default.

    Raises:
        UsageError: an address is none.
        ConfigError: one of the file is none.
    """
    named = [str(parse_address(text)) for text in addresses]
    listed = load_nodes(file) if file is not None else []
    found = tuple(Node((address,)) for address in dict.fromkeys([*named, *listed]))
    return found or (DEFAULT_NODE,)


def load_nodes(name: str) -> list[str]:
    """The addresses in the file ``name``: one in a line, what follows a ``#`` is a comment.

    Raises:
        UsageError: the file cannot be read.
        ConfigError: a line is no address, or there is none, or too many.
    """
    try:
        text = load_input(name).decode()
    except (UnicodeDecodeError, FormatError):
        raise ConfigError(f"{name}: not a list of addresses", detail="nodes", file=name) from None
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if address := line.partition("#")[0].strip():
            try:
                found.append(str(parse_address(address)))
            except UsageError as error:
                raise ConfigError(f"{name}, line {number}: {error}", detail="nodes", file=name) from None
    if not 0 < len(found) <= _MAX_NODES:
        raise ConfigError(
            f"{name}: {len(found)} addresses, expected 1 to {_MAX_NODES}", detail="nodes", file=name
        )
    return found


async def ask_all(nodes: tuple[Node, ...], ask: Callable[[Node], Awaitable[T]]) -> list[T]:
    """What ``ask`` says of each node, in their order; progress goes to a terminal's stderr."""
    free = asyncio.Semaphore(MAX_AT_ONCE)
    progress = _Progress(len(nodes))

    async def one(node: Node) -> T:
        async with free:
            answer = await ask(node)
        progress.step()
        return answer

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(node)) for node in nodes]
    except* Exception as failed:
        raise failed.exceptions[0] from None
    finally:
        progress.end()
    return [task.result() for task in tasks]


class _Progress:
    """A line that is written over, and at last wiped out; only of several nodes, only on a terminal."""

    def __init__(self, total: int) -> None:
        self._done, self._total = 0, total
        self._shown = total > 1 and sys.stderr is not None and sys.stderr.isatty()
        self._show()

    def step(self) -> None:
        self._done += 1
        self._show()

    def end(self) -> None:
        if self._shown:
            click.echo("\r\x1b[K", err=True, nl=False)

    def _show(self) -> None:
        if self._shown:
            click.echo(f"\r{self._done} of {self._total} nodes answered", err=True, nl=False)
