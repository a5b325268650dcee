"""``attestation-agent pull``: an image out of a registry, as a bundle that ``runc`` runs."""

from __future__ import annotations

import platform
import ssl
from pathlib import Path

import click

from eaa.cli.attestation_agent_once import AgentSession
from eaa.cli.console import clean, columns, debug_option, emit
from eaa.cli.pull_progress import TerminalProgress
from eaa.errors import ConfigError
from eaa.oci.platform import Platform, parse_platform
from eaa.oci.signatures.reference import parse_reference

__all__ = ["pull"]

#: As machines name themselves, and as images name them.
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_RESOURCE = "kbs:///default"


@click.command()
@click.argument("image")
@click.option(
    "--into",
    "target",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The bundle's folder; new, or empty.",
)
@click.option(
    "--policy",
    default=f"{_RESOURCE}/security-policy/test",
    show_default=True,
    metavar="FILE|URI",
    help="policy.json: whose signatures an image needs. A file, or a resource of the broker.",
)
@click.option(
    "--sigstore",
    default=f"{_RESOURCE}/sigstore-config/test",
    show_default=True,
    metavar="FILE|URI",
    help="sigstore.yaml: where GPG signatures are. Read only if the policy has signedBy.",
)
@click.option("--auth", default="", metavar="FILE|URI", help="auth.json: logins to registries.")
@click.option(
    "--store",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Keep downloaded blobs here, as they came.  [default: beside DIR, until the pull succeeds]",
)
@click.option("--platform", "machine", metavar="OS/ARCH", help="Of an image for several.  [default: this]")
@click.option(
    "--registry-ca",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="PEM of who vouches for the registry, besides the system's.",
)
@click.option("--downloads", type=click.IntRange(1, 16), default=3, show_default=True, help="At one time.")
@click.option(
    "--deadline-seconds",
    type=click.FloatRange(0, min_open=True),
    default=3600,
    show_default=True,
    help="For all of it.",
)
@debug_option
@click.pass_obj
def pull(
    session: AgentSession, image: str, target: Path, policy: str, sigstore: str, auth: str,
    store: Path | None, machine: str | None, registry_ca: Path | None, downloads: int,
    deadline_seconds: float,
) -> None:  # fmt: skip
    """Pull IMAGE, require its signatures, open its layers with this guest's keys, and unpack it.

    DIR appears when every layer has been downloaded, opened and held to its digests, and not before. A pull
    that was cut off goes on where it was when it is asked again.

    \b
    Examples:
      attestation-agent --aa-kbc-params cc_kbc::https://kbs.example:8080 \\
          pull registry.example.org/app:1 --into /run/app
      attestation-agent pull registry.example.org/app:1 --into /run/app --policy policy.json
      runc run --bundle /run/app app
    """
    # Only who pulls pays for the client of registries.
    from eaa.services.image_pull.openpgp import SequoiaOpenPgp  # noqa: PLC0415 - see above
    from eaa.services.image_pull.pull import PullTerms, pull_image  # noqa: PLC0415 - see above
    from eaa.services.image_pull.sources import Sources  # noqa: PLC0415 - see above

    reference = parse_reference(image)
    terms = PullTerms(
        parse_platform(machine) if machine else _this_machine(), _tls(registry_ca), SequoiaOpenPgp(),
        store=store, downloads=downloads, deadline_seconds=deadline_seconds,
    )  # fmt: skip
    with TerminalProgress() as progress:
        pulled = session.run(
            lambda agent: pull_image(
                reference,
                target,
                # Where no broker is named no resource comes from anybody: asked for one, the agent says that.
                Sources(
                    agent.secrets, policy, sigstore, auth, proven=agent.params is None or agent.proves_broker
                ),
                terms,
                progress,
            )
        )
    if pulled.skipped.counts:
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(pulled.skipped.counts.items()))
        lines = columns([(item.path, item.what) for item in pulled.skipped.first], "  ")
        click.echo("\n".join([f"not permitted here, and left out: {counts}", *lines]), err=True)
    emit(clean(f"{reference.name}@{pulled.digest}"))


def _this_machine() -> Platform:
    name = platform.machine()
    return Platform("linux", _ARCHITECTURES.get(name, name))


def _tls(registry_ca: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if registry_ca is not None:
        try:
            context.load_verify_locations(cafile=registry_ca)
        except OSError as error:  # of ssl too
            raise ConfigError(
                f"{registry_ca}: {error.strerror or error}", detail="file", file=str(registry_ca)
            ) from None
    return context
