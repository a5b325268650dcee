"""``verdict``: the owner's command. Options as in the original, over gRPC; subcommands over HTTP."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import click

from eaa import __version__
from eaa.cli.command_table import TableGroup
from eaa.cli.console import debug_option
from eaa.cli.files import load_input
from eaa.cli.invocation import prepare_streams
from eaa.codec.hosts import is_loopback
from eaa.errors import UsageError
from eaa.transport.address import TcpAddress, parse_address

__all__ = ["COMMANDS", "ORIGINAL", "main", "verdict"]

#: Name → module with a command of that name, and the line that the help shows.
COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "resource": ("eaa.cli.verdict_resource", "Secrets by path, in versions."),
        "key": ("eaa.cli.verdict_key", "Keys that wrap the keys of images."),
        "image": ("eaa.cli.verdict_image", "Container images, encrypted."),
        "policy": ("eaa.cli.verdict_policy", "Policies in Rego: set, read, roll back, test."),
        "reference": ("eaa.cli.verdict_reference", "Reference values, with expiry."),
        "decisions": ("eaa.cli.verdict_decision", "What was decided last."),
        "explain": ("eaa.cli.verdict_decision", "Why a decision was made."),
        "status": ("eaa.cli.verdict_decision", "Which policies hold."),
        "token": ("eaa.cli.verdict_decision", "Make a bearer token for other clients."),
        "completion": ("eaa.cli.verdict_completion", "Print the completion script of a shell."),
    }
)

EXIT_CODES = """\b
EXIT CODES
  0   it did what it was asked
  1   the service could not; or an internal error
  2   usage: an option, a file or a setting is not as it must be
  10  refused: the role does not include it
  20  unsupported
  30  malformed: a policy, a document or a name is not one
  40  the service cannot be reached"""

_DEFAULT_API = "[::1]:60000"
_TOKEN_SECONDS = 120
_TIMEOUT_SECONDS = 30.0

#: The original's options: their values' names, nothing for a switch, and what they do.
ORIGINAL: Mapping[str, tuple[tuple[str, ...], str]] = MappingProxyType(
    {
        "set-opa-policy": (("POLICY_NAME", "POLICY_PATH"), "Store a policy in Rego."),
        "export-opa-policy": (("POLICY_NAME",), "Write a policy to a file of its name."),
        "set-opa-reference": (("REFERENCE_NAME", "REFERENCE_PATH"), "Store the data of a policy, JSON."),
        "export-opa-reference": (("REFERENCE_NAME",), "Write data to a file of its name."),
        "test-opa-remote": (
            ("POLICY_NAME", "REFERENCE_NAME", "INPUT_PATH"), "Evaluate a stored policy with stored data.",
        ),
        "test-opa-local": (
            ("POLICY_PATH", "REFERENCE_PATH", "INPUT_PATH"), "Evaluate a policy and data of files.",
        ),
        "test-opa-local-policy": (
            ("POLICY_PATH", "REFERENCE_NAME", "INPUT_PATH"), "Evaluate a policy of a file with stored data.",
        ),
        "test-opa-local-reference": (
            ("POLICY_NAME", "REFERENCE_PATH", "INPUT_PATH"), "Evaluate a stored policy with data of a file.",
        ),
        "list-gpg-keys": ((), "Show the keyring that guests verify images with."),
        "import-gpg-key": (("KEY_FILE",), "Add public keys to the keyring."),
        "delete-gpg-key": (("KEY_ID",), "Remove a key from the keyring."),
        "export-gpg-keyring": ((), "Print the keyring in base64."),
        "export-image-sigstore": ((), "Write image_sigstore.ymal."),
        "set-image-sigstore": (("SIGSTORE_PATH",), "Store where signatures of images are."),
        "export-image-policy": ((), "Write image_policy.json."),
        "set-image-policy": (("POLICY_PATH",), "Store which signatures images need."),
    }
)  # fmt: skip


class VerdictGroup(TableGroup):
    """Commands from :data:`COMMANDS`."""

    table = COMMANDS


def _original_options(function: Any) -> Any:
    for name, (values, text) in reversed(tuple(ORIGINAL.items())):
        if values:
            option = click.option(f"--{name}", nargs=len(values), metavar=" ".join(values), help=text)
        else:
            option = click.option(f"--{name}", is_flag=True, help=text)
        function = option(function)
    return function


@click.group(
    cls=VerdictGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=EXIT_CODES,
)
@click.version_option(__version__, "-V", "--version", prog_name="verdict")
@click.option(
    "-c", "--client-api", metavar="ADDRESS", default=_DEFAULT_API, show_default=True,
    help="Where verdictd serves gRPC; with --ca over TLS.",
)  # fmt: skip
@click.option(
    "-p", "--path", metavar="PATH", default="./", show_default=True, help="Folder of exported files."
)
@_original_options
@click.option(
    "--admin-key", metavar="FILE", envvar="VERDICT_ADMIN_KEY",
    help="Ed25519 private key in PEM, mode 0600; also VERDICT_ADMIN_KEY."
    "  [default: the one that verdictd makes at its first start]",
)  # fmt: skip
@click.option("--ca", metavar="FILE", help="PEM of who vouches for the server.")
@debug_option
@click.pass_context
def verdict(
    ctx: click.Context, /, client_api: str, path: str, admin_key: str | None, ca: str | None, **options: Any
) -> None:
    """Say what verdictd keeps, and to whom it gives it.

    Options that begin with set, export, test, list, import or delete are the original's; several may be
    given, and are done in the order of this list. Everything else is a command.

    \b
    Examples:
      verdict resource put default/key/1 key.bin
      verdict policy set resource resource/default policy.rego
      verdict explain 01KXZ4T0000000000000000000
      verdict --set-opa-policy sgxPolicy.rego ./policy.rego --export-image-policy -p out
    """
    if os.environ.get("NO_COLOR"):
        ctx.color = False
    asked = any(options.values())
    if ctx.invoked_subcommand is not None:
        if asked:
            raise click.UsageError("expected either a command or options of the original")
        return
    if not asked:
        raise click.UsageError("expected a command or an option; verdict --help shows them")
    _ask_client_api(client_api, path, admin_key, ca, options)


def _ask_client_api(
    client_api: str, path: str, admin_key: str | None, ca: str | None, options: Mapping[str, Any]
) -> None:
    from eaa.cli.verdict_original import run_original  # noqa: PLC0415 - gRPC is not needed for commands
    from eaa.cli.verdict_server import mint_token  # noqa: PLC0415 - as above
    from eaa.transport.grpc.client import ClientApi  # noqa: PLC0415 - as above

    where = parse_address(f"tcp://{client_api}")
    if ca is None and isinstance(where, TcpAddress) and not is_loopback(where.host):
        raise UsageError(f"--client-api {client_api}: off loopback expected --ca", detail="client_api")
    token = mint_token(admin_key, seconds=_TOKEN_SECONDS)
    trusted = None if ca is None else load_input(ca)
    with ClientApi(client_api, token, ca=trusted, timeout_seconds=_TIMEOUT_SECONDS) as api:
        run_original(api, path, options)


def main() -> None:
    """The console script."""
    prepare_streams()
    verdict(prog_name="verdict")


if __name__ == "__main__":
    main()
