"""``shelter endorsements``: what vendors vouch for, fetched before it is needed, and carried."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from eaa.cli.anchors import load_anchors
from eaa.cli.console import EXIT_CODES, as_json, columns, debug_option, emit, output_option
from eaa.cli.endorsements_carry import export_bundle, import_bundles
from eaa.cli.endorsements_show import expiry_json, expiry_rows, status_text
from eaa.cli.files import load_input
from eaa.cli.params import Within
from eaa.cli.platform_subjects import Platform, parse_platform
from eaa.cli.provider_options import ProviderOptions, cache_folder, cache_option, network_options
from eaa.cli.reference_store import store_option
from eaa.endorsements.amd_roots import AMD_ARKS
from eaa.endorsements.hygon_roots import HYGON_HRKS
from eaa.endorsements.roots import INTEL_SGX_ROOTS
from eaa.endorsements.subject import Subject
from eaa.errors import ConfigError, FormatError
from eaa.provider.cache import EndorsementCache
from eaa.provider.expiry import expiries
from eaa.verify.fetched import TrustRoot

__all__ = ["endorsements"]

_UNAVAILABLE = 40

_anchor_option = click.option(
    "--trust-anchor", multiple=True, metavar="FILE",
    help="Root certificate, PEM or DER, to trust instead of the vendors'. Repeatable.",
)  # fmt: skip
_for_option = click.option(
    "--for", "evidence", multiple=True, metavar="FILE",
    help="Only what this evidence needs; what is missing counts. Repeatable.",
)  # fmt: skip


@click.group(epilog=EXIT_CODES)
def endorsements() -> None:
    """Fetch, carry and watch the vendors' certificates, TCB infos and revocation lists.

    They are kept in a cache that all commands and services of this user share. Each is verified before it
    is kept, and never replaced by an older one.

    \b
    Examples:
      shelter endorsements fetch quote.bin report.bin
      shelter endorsements status --within 7d
      shelter endorsements export site.eaa --public-key owner.pem
      shelter endorsements import site.eaa --signed-by owner.pem
    """


@endorsements.command()
@click.argument("evidence", nargs=-1, required=True, metavar="EVIDENCE…")
@click.option("--allow-rollback", is_flag=True, help="Let something older replace what is there.")
@_anchor_option
@network_options
@output_option
@debug_option
@click.pass_context
def fetch(ctx: click.Context, /, **options: Any) -> None:
    """Fetch all that EVIDENCE, quotes and reports, needs, even if what is there still holds."""
    from eaa.cli.endorsements_fetch import fetch_platforms  # noqa: PLC0415 - HTTP is for those who fetch

    provider = ProviderOptions.take(options)
    settings = provider.settings(always=True, allow_rollback=options["allow_rollback"])
    if settings is None:
        raise ConfigError("no provider is configured", detail="provider")
    results, notes = fetch_platforms(
        _platforms(options["evidence"]), settings, trust_anchors=_anchors(options), now=_now
    )
    for note in notes:
        click.echo(f"note: {note}", err=True)
    failed = [item for item in results if item.error is not None]
    if options["output"] == "json":
        emit(as_json([item.to_dict() for item in results]))
    else:
        emit("\n".join(columns([item.row for item in results])))
    ctx.exit(_UNAVAILABLE if failed else 0)


@endorsements.command("export")
@click.argument("file", metavar="BUNDLE")
@_for_option
@click.option("--public-key", metavar="FILE", help="Also write the key that verifies the bundle, PEM.")
@click.option("--vcek-store", metavar="DIR", help="Also write VCEK certificates in Trustee's offline layout.")
@store_option
@_anchor_option
@cache_option
@debug_option
def export(**options: Any) -> None:
    """Write what the cache has to BUNDLE, signed with the owner's key, for a site without network.

    The key is that of the recorded reference values, in --store; it is made at first use.
    """
    wanted = _wanted(_platforms(options["evidence"]), options)
    found = expiries(_cache(options).entries(), wanted, trust_anchors=_anchors(options))
    for line in export_bundle(
        found, Path(options["file"]), store=options["store"], public_key=options["public_key"],
        vcek_store=options["vcek_store"],
    ):  # fmt: skip
        click.echo(line, err=True)


@endorsements.command("import")
@click.argument("files", nargs=-1, required=True, metavar="BUNDLE…")
@click.option(
    "--signed-by", metavar="FILE", help="Public key of who signed, PEM.  [default: the owner's, in --store]"
)
@click.option("--allow-rollback", is_flag=True, help="Let something older replace what is there.")
@store_option
@_anchor_option
@cache_option
@output_option
@debug_option
@click.pass_context
def import_(ctx: click.Context, /, **options: Any) -> None:
    """Take what is in BUNDLE over into the cache, once its signature and each endorsement are verified."""
    results = import_bundles(
        [(name, load_input(name)) for name in options["files"]], _cache(options),
        signed_by=options["signed_by"], store=options["store"], trust_anchors=_anchors(options), now=_now(),
        allow_rollback=options["allow_rollback"],
    )  # fmt: skip
    if options["output"] == "json":
        emit(as_json([item.to_dict() for item in results]))
    else:
        emit("\n".join(columns([item.row for item in results])))
    ctx.exit(_UNAVAILABLE if any(item.error for item in results) else 0)


@endorsements.command("list")
@_anchor_option
@cache_option
@output_option
@debug_option
def list_(**options: Any) -> None:
    """All that the cache has: whose it is, whence, since when, and until when it holds."""
    now = _now()
    found = expiries(_cache(options).entries(), (), trust_anchors=_anchors(options))
    if options["output"] == "json":
        emit(as_json([expiry_json(item, now) for item in found]))
    elif found:
        emit("\n".join(columns(expiry_rows(found, now))))


@endorsements.command()
@click.option(
    "--within", type=Within(), default="7d", show_default=True, metavar="TIME",
    help="How long before its end an endorsement counts as ending: 12h, 7d, 2w.",
)  # fmt: skip
@_for_option
@_anchor_option
@cache_option
@output_option
@debug_option
@click.pass_context
def status(ctx: click.Context, /, **options: Any) -> None:
    """Say what ends when: exit code 40 if anything ends within --within, is missing, or not genuine."""
    now, within = _now(), options["within"]
    wanted = _wanted(_platforms(options["evidence"]), options)
    found = expiries(_cache(options).entries(), wanted, trust_anchors=_anchors(options))
    biting = [item for item in found if item.bites(now, within)]
    if options["output"] == "json":
        document = {
            "ok": bool(found) and not biting,
            "within_seconds": int(within.total_seconds()),
            "endorsements": [expiry_json(item, now) | {"ending": item in biting} for item in found],
        }
        emit(as_json(document))
    else:
        emit(status_text(found, biting, now, within))
    ctx.exit(_UNAVAILABLE if biting or not found else 0)


def _platforms(names: tuple[str, ...]) -> list[Platform]:
    return [_platform(name, load_input(name)) for name in names]


def _platform(name: str, data: bytes) -> Platform:
    """Of several files the error says which it is about."""
    try:
        return parse_platform(name, data)
    except FormatError as error:
        error.args = (f"{name}: {error}",)
        raise


def _wanted(platforms: list[Platform], options: dict[str, Any]) -> list[Subject]:
    """What all ``platforms`` need. Of several possibilities the one that is there counts, else the first."""
    cache = _cache(options)
    wanted: dict[str, Subject] = {}
    for platform in platforms:
        possible = platform.alternatives("standard")
        chosen = next((item for item in possible if all(cache.load(part) for part in item)), possible[0])
        wanted |= {item.key: item for item in chosen}
    return list(wanted.values())


def _cache(options: dict[str, Any]) -> EndorsementCache:
    return EndorsementCache(cache_folder(options["endorsement_cache"]))


def _anchors(options: dict[str, Any]) -> tuple[TrustRoot, ...]:
    return load_anchors(options["trust_anchor"]) or (*INTEL_SGX_ROOTS, *AMD_ARKS, *HYGON_HRKS)


def _now() -> datetime:
    return datetime.now(UTC)
