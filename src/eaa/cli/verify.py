"""``shelter verify``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from eaa.appraisal.policy import Policy
from eaa.appraisal.reference_values import parse_reference_values
from eaa.cli.anchors import load_roots
from eaa.cli.collateral_bundles import take_bundles
from eaa.cli.console import EXIT_CODES, as_json, debug_option, emit, output_option
from eaa.cli.files import load_collateral, load_input
from eaa.cli.judge import Request
from eaa.cli.judge_fetching import judge_fetching
from eaa.cli.params import HexBytes, StatusList, Time
from eaa.cli.policy_options import policy_options
from eaa.cli.provider_options import ProviderOptions, provider_options
from eaa.cli.psp_options import psp_options, psp_policies
from eaa.cli.snp_options import snp_options, snp_policy
from eaa.cli.verdict import Verdict, failure_fields
from eaa.cli.verdict_text import render
from eaa.endorsements.tcb import TcbStatus
from eaa.endorsements.x509 import Certificate
from eaa.errors import ConfigError, FormatError, SignatureError
from eaa.tls.peer import REPORT_DATA_BYTES
from eaa.verify.claims import rfc3339
from eaa.verify.result import Binding

__all__ = ["verify"]


@click.command(epilog=EXIT_CODES)
@click.argument("file", metavar="FILE|-")
@click.option(
    "--collateral", multiple=True, metavar="PATH",
    help="Endorsements: a file, a folder of them, or a bundle. Repeatable. Without, and without --fetch: "
    "exit code 40, and what is needed.",
)  # fmt: skip
@click.option(
    "--signed-by", metavar="FILE", help="Public key of who signed the bundle, PEM.  [default: the owner's]"
)
@click.option(
    "--at", type=Time(), metavar="TIME",
    help="Judge as of this time: RFC 3339 with an offset, or unix seconds.  [default: now]",
)  # fmt: skip
@click.option(
    "--nonce", type=HexBytes(16, most=64), metavar="HEX",
    help="Report data must be these 16 to 64 bytes, then zero bytes up to 64. All 64 are compared. "
    "Of SEV, 16 bytes: its nonce.",
)  # fmt: skip
@click.option(
    "--report-data", type=HexBytes(REPORT_DATA_BYTES), metavar="HEX",
    help="Report data must be exactly these 64 bytes. Not together with --nonce.",
)  # fmt: skip
@click.option(
    "--config-id", "--host-data", "config_id", type=HexBytes(32, 48, 64), metavar="HEX",
    help="CONFIGID (SGX, 64 bytes), MRCONFIGID (TDX, 48) or host data (SNP, 32) must be exactly this.",
)  # fmt: skip
@click.option("--reference", metavar="FILE", help="Reference values that the measurements must match.")
@click.option(
    "--accept-status", type=StatusList(), multiple=True, metavar="STATUS",
    help="TCB statuses to accept, in Intel's spelling, any case. Repeatable, or separated by commas.  "
    "[default: UpToDate]",
)  # fmt: skip
@policy_options
@click.option("--allow-debug", is_flag=True, help="Accept evidence of a debug enclave, TD or guest.")
@snp_options
@psp_options
@click.option("--event-log", metavar="FILE", help="CCEL to replay against the RTMRs of the quote.")
@click.option(
    "--trust-anchor", multiple=True, metavar="FILE",
    help="Root certificate, PEM, DER or in the vendor's own form, to trust instead of the vendor's. "
    "Repeatable.",
)  # fmt: skip
@provider_options
@click.option("--explain", is_flag=True, help="Show each rule: claim, expected, came, verdict.")
@output_option
@click.option("-q", "--quiet", is_flag=True, help="Write nothing to stdout: the exit code is the answer.")
@debug_option
@click.pass_context
def verify(ctx: click.Context, /, **options: Any) -> None:
    """Verify the evidence in FILE (- for stdin) and appraise it.

    FILE holds an SGX or TDX quote or a report of SEV-SNP, SEV or Hygon CSV: raw, hexadecimal, base64, PEM or
    inside JSON; a report may have its certificates with it. It is verified up to its vendor's root,
    revocation included where there is any, and its TCB is judged. Without --reference no measurement is
    compared;
    without --nonce or --report-data it may be a replay. Both are said in the output.

    \b
    Examples:
      shelter verify quote.bin --collateral collateral.json
      shelter verify quote.bin --collateral ./collateral --nonce 00112233445566778899aabbccddeeff
      shelter verify quote.bin --collateral c.json --reference reference.json --explain
      shelter verify quote.bin --fetch
      shelter verify quote.bin --pccs-url https://localhost:8081/sgx/certification/v4/
      shelter verify - --collateral c.json --at 2025-06-01T12:00:00Z -o json < quote.hex
      shelter verify quote.bin --collateral c.json --accept-status UpToDate,SWHardeningNeeded
      shelter verify report.bin --collateral ./amd --require-vcek --minimum-tcb Milan:snp=29,microcode=219
    """
    verdict = _verdict(options)
    if not options["quiet"]:
        json_wanted = options["output"] == "json"
        emit(as_json(verdict.to_dict()) if json_wanted else render(verdict, explain=options["explain"]))
    ctx.exit(verdict.exit_code)


def _verdict(options: dict[str, Any]) -> Verdict:
    settings = ProviderOptions.take(options).settings()
    now = options["at"] or datetime.now(UTC)
    binding = Binding(report_data=_report_data(options), config_id=options["config_id"])
    policy = _policy(options)
    anchors = load_roots(options["trust_anchor"])
    log = options["event_log"]
    try:
        files, bundles = take_bundles(load_collateral(options["collateral"]), signed_by=options["signed_by"])
        request = Request(
            data=load_input(options["file"]),
            collateral=files,
            trust_anchors=anchors or None,
            binding=binding,
            policy=policy,
            has_reference=options["reference"] is not None,
            event_log=load_input(log) if log is not None else None,
            allow_missing_crl=options["allow_missing_crl"],
            now=now,
        )
    # An input that is too large, or a bundle that is not believed.
    except (FormatError, SignatureError) as error:
        return Verdict(
            **failure_fields(error), reasons=[str(error)], notes=[], verified_at=rfc3339(now)
        )  # fmt: skip
    # What is fetched is X.509, and so are its roots.
    fetching = [item for item in anchors if isinstance(item, Certificate)]
    return judge_fetching(request, settings, fetching, bundles)


def _report_data(options: dict[str, Any]) -> bytes | None:
    nonce: bytes | None = options["nonce"]
    report_data: bytes | None = options["report_data"]
    if nonce is not None and report_data is not None:
        raise click.UsageError("--nonce and --report-data exclude each other")
    return nonce.ljust(REPORT_DATA_BYTES, b"\x00") if nonce is not None else report_data


def _policy(options: dict[str, Any]) -> Policy:
    statuses = frozenset[TcbStatus]().union(*options["accept_status"]) or frozenset({TcbStatus.UP_TO_DATE})
    name = options["reference"]
    try:
        reference = parse_reference_values(load_input(name)) if name is not None else None
    except FormatError as error:
        raise ConfigError(f"{name}: {error}", detail="reference_values", file=name) from None
    sev, csv = psp_policies(options)
    return Policy(
        accepted_statuses=statuses,
        grace_days=options["grace_days"],
        min_evaluation_data_number=options["min_eval_number"],
        refused_advisories=frozenset(item.upper() for item in options["refuse_advisory"]),
        allow_debug=options["allow_debug"],
        reference_values=reference,
        snp=snp_policy(options),
        sev=sev,
        csv=csv,
    )
