"""``shelter mrverify``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from eaa.cli.console import EXIT_CODES, as_json, clean, debug_option, emit, output_option
from eaa.cli.measured import Measured, from_sigstruct, given
from eaa.cli.measured_td import from_quote, given_td
from eaa.cli.mrverify_text import document, entry_fields, list_json, list_text, render
from eaa.cli.params import HexBytes
from eaa.cli.reference_store import open_store, store_option
from eaa.cli.td_options import TD_FIELDS, given_patterns, td_options
from eaa.cli.verdict import failure_fields
from eaa.errors import FormatError, UnsupportedError, UsageError, VerificationError
from eaa.storage.reference_store import ReferenceStore

__all__ = ["mrverify"]

_ACTIONS = (
    "sigstruct", "mr_enclave", "from_quote", "mr_td", "snp_measurement", "csv_measure",
    "list_entries", "remove", "export",
)  # fmt: skip
#: What each option belongs to.
_OWNERS = {
    "enclave": ("sigstruct",),
    "ssa_frame_pages": ("sigstruct",),
    "by_signer": ("sigstruct",),
    "no_record": ("sigstruct", "from_quote"),
    "unverified": ("from_quote",),
    "fields": ("from_quote",),
    **dict.fromkeys(TD_FIELDS, ("mr_td", "from_quote")),
    "label": ("sigstruct", "mr_enclave", "mr_td", "snp_measurement", "csv_measure", "from_quote"),
}


@click.command(epilog=EXIT_CODES)
@click.option(
    "--sigstruct", metavar="FILE",
    help="SIGSTRUCT of 1808 bytes, or an enclave file of the SGX SDK, whose pages are measured. - for stdin.",
)  # fmt: skip
@click.option(
    "--enclave", metavar="FILE",
    help="The enclave's pages, encl.bin or SGXS: MRENCLAVE is computed and must be the SIGSTRUCT's.",
)  # fmt: skip
@click.option(
    "--ssa-frame-pages", type=click.IntRange(1, 64), metavar="N",
    help="Size of an SSA frame, which encl.bin does not say.  [default: 1 to 4 in turn]",
)  # fmt: skip
@click.option("--mr-enclave", type=HexBytes(32), metavar="HEX", help="Record this MRENCLAVE of 32 bytes.")
@td_options
@click.option(
    "--snp-measurement", type=HexBytes(48), metavar="HEX",
    help="Record this launch digest of an SEV-SNP guest, 48 bytes.",
)  # fmt: skip
@click.option(
    "--csv-measure", type=HexBytes(32), metavar="HEX",
    help="Record this launch measurement of a Hygon CSV guest, 32 bytes.",
)  # fmt: skip
@click.option(
    "--from-quote", metavar="FILE",
    help="Record what this quote, TD report or SNP report claims. Needs --unverified.",
)  # fmt: skip
@click.option("--unverified", is_flag=True, help="Believe a file that nobody has verified.")
@click.option(
    "--by-signer", is_flag=True,
    help="Record signer, product and least security version instead of MRENCLAVE.",
)  # fmt: skip
@click.option("--label", metavar="NAME", help="Name of the recorded entry.  [default: from its values]")
@click.option("--no-record", "--check", is_flag=True, help="Check only, and record nothing.")
@click.option("--list", "list_entries", is_flag=True, help="Show what is recorded.")
@click.option("--remove", metavar="LABEL", help="Remove what is recorded under this name.")
@click.option("--export", is_flag=True, help="Write the recorded values in the form that --reference reads.")
@store_option
@output_option
@debug_option
@click.pass_context
def mrverify(ctx: click.Context, /, **options: Any) -> None:
    """Check launch measurements of an enclave, a TD or an SNP guest, and record them as those to expect.

    The recorded values are kept in a file that is signed with a key of the user's own, made at first
    use. `shelter verify` takes them with --reference, as --export writes them.

    \b
    Examples:
      shelter mrverify --sigstruct encl.ss --enclave encl.bin
      shelter mrverify --sigstruct enclave.signed.so --by-signer --label my-service
      shelter mrverify --sigstruct encl.ss --check
      shelter mrverify --mr-enclave $(cat mrenclave.hex) --label build-42
      shelter mrverify --mr-td $(cat mrtd.hex) --rt-mr1 $(cat rtmr1.hex)
      shelter mrverify --snp-measurement $(cat launch-digest.hex)
      shelter mrverify --from-quote quote.bin --unverified --mr-td $(cat mrtd.hex) --field rt_mr1
      shelter mrverify --list
      shelter mrverify --export > reference.json
    """
    action = _action(options)
    store = open_store(options["store"])
    json_wanted = options["output"] == "json"
    if action == "list_entries":
        emit(list_json(store) if json_wanted else list_text(store))
    elif action == "remove":
        entry = store.remove(options["remove"])
        emit(as_json({"removed": entry_fields(entry)}) if json_wanted else f"REMOVED  {clean(entry.label)}")
    elif action == "export":
        emit(_export(store))
    else:
        found = _checked(lambda: _measured(options), store, options)
        emit(as_json(found) if json_wanted else render(found))
        ctx.exit(found["exit_code"])


def _action(options: dict[str, Any]) -> str:
    """The one thing that is to be done, with options that belong to it."""
    asked = [name for name in _ACTIONS if options[name] not in (None, False)]
    if "from_quote" in asked and "mr_td" in asked:
        asked.remove("mr_td")  # what the file must say
    if len(asked) != 1:
        names = ", ".join(_option(name) for name in _ACTIONS)
        raise click.UsageError(f"expected exactly one of {names}")
    action = asked[0]
    for name, owners in _OWNERS.items():
        if options[name] and action not in owners:
            raise click.UsageError(f"{_option(name)} does not go with {_option(action)}")
    if options["ssa_frame_pages"] and options["enclave"] is None:
        raise click.UsageError("--ssa-frame-pages needs --enclave")
    if options["enclave"] == options["sigstruct"] == "-":
        raise click.UsageError("--sigstruct and --enclave cannot both be standard input")
    if action == "from_quote" and not options["unverified"]:
        raise click.UsageError(
            "a quote is taken as it stands: anybody can have written it. Verify it first with `shelter "
            "verify`, then record what that shows with --mr-enclave, --mr-td or --snp-measurement; or add "
            "--unverified"
        )
    return action


def _option(name: str) -> str:
    return {"list_entries": "--list", "fields": "--field"}.get(name, "--" + name.replace("_", "-"))


def _measured(options: dict[str, Any]) -> Measured:
    if options["sigstruct"] is not None:
        return from_sigstruct(options["sigstruct"], options["enclave"], options["ssa_frame_pages"])
    if options["from_quote"] is not None:
        return from_quote(options["from_quote"], given_patterns(options), options["fields"])
    if options["mr_td"] is not None:
        return given_td(given_patterns(options))
    if options["snp_measurement"] is not None:
        return given("snp", options["snp_measurement"])
    if options["csv_measure"] is not None:
        return given("csv", options["csv_measure"])
    return given("sgx", options["mr_enclave"])


def _checked(
    measure: Callable[[], Measured], store: ReferenceStore, options: dict[str, Any]
) -> dict[str, Any]:
    """What was found, as JSON; recorded only if nothing speaks against it."""
    try:
        measured = measure()
    except (FormatError, UnsupportedError, VerificationError) as error:
        return document(failure_fields(error), [str(error)])
    if measured.reasons:
        return document(_outcome("rejected", "measurement.mismatch", 10), measured.reasons, measured)
    if options["no_record"]:
        return document(_outcome("accepted", "measurement.checked", 0), [], measured)
    signer = options["by_signer"]
    recorded = store.record(
        measured.alternative(signer=signer),
        label=options["label"] or measured.label(signer=signer),
        source=measured.source,
        recorded_at=datetime.now(UTC),
    )
    return document(_outcome("accepted", "measurement.recorded", 0), [], measured, recorded, store)


def _outcome(verdict: str, code: str, exit_code: int) -> dict[str, Any]:
    return {"verdict": verdict, "code": code, "exit_code": exit_code}


def _export(store: ReferenceStore) -> str:
    values = store.load()
    if values is None:
        raise UsageError(f"nothing is recorded in {store.file}", detail="nothing_recorded")
    return values.encode().decode().rstrip("\n")
