"""``shelter remoteattestation``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import click

from eaa.appraisal.policy import Policy
from eaa.cli.channel_options import ChannelOptions, build_channel_config, channel_options
from eaa.cli.console import EXIT_CODES, debug_option, emit, output_option
from eaa.cli.nodes import ask_all, parse_nodes
from eaa.cli.policy_options import policy_options
from eaa.cli.reference_store import open_store, store_option
from eaa.cli.remoteattestation_ask import Question, ask
from eaa.cli.remoteattestation_report import References, conclude_all
from eaa.cli.remoteattestation_text import exit_code, reports_json, reports_text
from eaa.tls.peer import PeerVerifier
from eaa.tls.verifiers import EvidenceVerifier

__all__ = ["remoteattestation"]

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
_OFF = logging.CRITICAL + 1
#: Notes of build_channel_config about what each report says of its own node.
_SAID_ANYWAY = ("no measurement is compared", "simulated: the only root")


@click.command(epilog=EXIT_CODES)
@click.option(
    "--addr", multiple=True, metavar="ADDRESS",
    help="tcp://HOST:PORT or unix://PATH of inclavared, or with --direct of the workload. Repeatable.  "
    "[default: tcp://127.0.0.1:1234, then unix:///run/enclave-tls/tls.sock]",
)  # fmt: skip
@click.option("--nodes", metavar="FILE", help="Addresses, one in a line; # begins a comment.")
@click.option("--direct", is_flag=True, help="The peer of the channel is the workload: ask nobody further.")
@channel_options(log_level="off")
@policy_options
@store_option
@click.option(
    "--record", is_flag=True,
    help="Trust on first contact: where nothing is recorded yet, record the code that is seen.",
)  # fmt: skip
@click.option("--allow-any-measurement", is_flag=True, help="Compare no code. For tests.")
@click.option(
    "--timeout", type=click.FloatRange(0, 3600, min_open=True), default=30.0, show_default=True,
    metavar="SECONDS", help="For each node: connection, evidence and answer.",
)  # fmt: skip
@click.option("--explain", is_flag=True, help="Show each rule: claim, expected, came, verdict.")
@output_option
@debug_option
@click.pass_context
def remoteattestation(ctx: click.Context, /, **options: Any) -> None:
    """Verify the workload on one node or several, by its own evidence, now.

    The node's inclavared is asked over an attested channel for evidence of the workload behind it, for a
    nonce that is drawn here. The evidence is verified here, and its code compared with the reference
    values: those of --reference, else those that `shelter mrverify` has recorded. Nothing is believed
    because inclavared says so.

    \b
    Examples:
      shelter remoteattestation --verifier sgx_ecdsa --tls openssl --crypto openssl --addr=tcp://10.0.0.5:1236
      shelter remoteattestation --addr tcp://10.0.0.5:1236 --reference reference.json --explain
      shelter remoteattestation --nodes nodes.txt -o json
      shelter remoteattestation --addr tcp://127.0.0.1:1236 --verifier simulated --record
    """
    channel = ChannelOptions.take(options)
    nodes = parse_nodes(options["addr"], options["nodes"])
    references = _references(channel, options)
    question, notes = _question(channel, options, references)
    with _logging(channel.log_level):
        seen = asyncio.run(ask_all(nodes, lambda node: ask(node, question)))
    reports = conclude_all(seen, references, direct=question.direct, notes=notes)
    json_wanted = options["output"] == "json"
    emit(reports_json(reports) if json_wanted else reports_text(reports, explain=options["explain"]))
    ctx.exit(exit_code(reports))


def _references(channel: ChannelOptions, options: dict[str, Any]) -> References:
    """Of ``--reference``, else of the store."""
    chosen = [
        name for name in ("reference", "record", "allow_any_measurement") if _given(channel, options, name)
    ]
    if len(chosen) > 1:
        names = " and ".join(f"--{name.replace('_', '-')}" for name in chosen)
        raise click.UsageError(f"{names} exclude each other")
    store = open_store(options["store"])
    if options["allow_any_measurement"]:
        return References(source="", values=None, store=store, any=True)
    if channel.reference is not None:
        return References(source=channel.reference, values=channel.policy().reference_values, store=store)
    return References(
        source=str(store.file),
        values=store.load(),
        store=store,
        store_option=options["store"],
        record=options["record"],
    )


def _given(channel: ChannelOptions, options: dict[str, Any], name: str) -> bool:
    return channel.reference is not None if name == "reference" else bool(options[name])


def _question(
    channel: ChannelOptions, options: dict[str, Any], references: References
) -> tuple[Question, list[str]]:
    """What is asked of each node, and what is to be said about it once."""
    policy = Policy(
        accepted_statuses=channel.policy().accepted_statuses,
        grace_days=options["grace_days"],
        min_evaluation_data_number=options["min_eval_number"],
        refused_advisories=frozenset(item.upper() for item in options["refuse_advisory"]),
        allow_debug=channel.allow_debug,
        reference_values=references.values,
        snp=channel.snp,
    )
    config, notes = build_channel_config(channel, needs_attester=False, needs_verifier=True, policy=policy)
    # The deadline is one for all that a node has to do.
    config = replace(config, handshake_seconds=2 * options["timeout"])
    verifier = None
    if not options["direct"]:
        verifier = _workload_verifier(channel, policy, config.verifier)
        if isinstance(config.verifier, EvidenceVerifier):
            # A forwarder runs code of its own. Whatever it is, it can answer nothing but the truth.
            open_policy = replace(policy, reference_values=None)
            config = replace(config, verifier=replace(config.verifier, policy=open_policy))
    said = [note for note in notes if not note.startswith(_SAID_ANYWAY)]
    return Question(config, verifier, options["timeout"]), said


def _workload_verifier(
    channel: ChannelOptions, policy: Policy, named: PeerVerifier | None
) -> PeerVerifier | None:
    """Who was named; in place of a null verifier, which is for the channel alone, the automatic one."""
    if isinstance(named, EvidenceVerifier):
        return named
    settings = replace(channel, verifier="", mutual=False)
    config, _ = build_channel_config(settings, needs_attester=False, needs_verifier=True, policy=policy)
    return config.verifier


@contextmanager
def _logging(level: str | None) -> Iterator[None]:
    """What goes wrong is in the report: without ``--log-level`` nothing is logged."""
    logger = logging.getLogger("eaa")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    before = logger.level
    logger.setLevel(_LEVELS.get((level or "off").lower(), _OFF))
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
