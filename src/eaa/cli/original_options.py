"""Options of the originals that have nothing to do here: accepted, and said on stderr to do nothing.

Command lines that exist keep working, and nobody believes that such an option did something.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from eaa.cli.service_command import say

__all__ = ["enclave_option", "sample_options", "verbose_option"]

F = TypeVar("F", bound=Callable[..., Any])


def verbose_option(function: F) -> F:
    """``--verbose`` of shelter, which did nothing there either."""
    why = "results have all their reasons; --explain and --debug of a command show more"
    return _without_effect("--verbose", why=why, is_flag=True)(function)


def enclave_option(function: F) -> F:
    """``-e/--enclave`` of inclavared: the enclave that it loaded in order to have evidence of its own."""
    why = "no enclave is loaded; this end's evidence is that of --attester"
    return _without_effect("-e", "--enclave", why=why, metavar="FILE")(function)


def sample_options(function: F) -> F:
    """Those of enclave-tls-server and -client, and of rats-tls-server and -client, which followed them."""
    debug = "no enclave is loaded; whether a peer may be one for debugging is for --allow-debug"
    for names, why in (
        (("-e", "--endorsements"), "evidence goes with its endorsements wherever the attester has them"),
        (("-D", "--debug-enclave"), debug),
        (("-P", "--product-enclave"), debug),
    ):
        function = _without_effect(*names, why=why, is_flag=True)(function)
    return function


def _without_effect(*names: str, why: str, **settings: Any) -> Callable[[F], F]:
    def tell(ctx: click.Context, _: click.Parameter, value: Any) -> None:
        # Of a worker, the process that started it has said it.
        if value and not ctx.params.get("worker_descriptors"):
            say(f"{'/'.join(names)} has no effect: {why}")

    return click.option(
        *names, expose_value=False, callback=tell, help="Without effect: of the original.", **settings
    )
