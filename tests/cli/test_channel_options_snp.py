"""Every command that verifies a peer takes what ``shelter verify`` does about SNP, and acts on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from eaa.appraisal.policy_snp import SnpPolicy
from eaa.cli.attestation_agent import attestation_agent
from eaa.cli.channel_options import ChannelOptions, build_channel_config, channel_options
from eaa.cli.enclave_tls_client import enclave_tls_client
from eaa.cli.enclave_tls_server import enclave_tls_server
from eaa.cli.inclavared import inclavared
from eaa.cli.remoteattestation import remoteattestation
from eaa.cli.snp_options import SNP_OPTIONS
from eaa.cli.verify import verify
from eaa.evidence.snp_tcb import SnpProduct, TcbVersion
from eaa.tls.verifiers import EvidenceVerifier
from tests.cli.serving import Serving, finish, serving

COMMANDS = (attestation_agent, enclave_tls_client, enclave_tls_server, inclavared, remoteattestation)
ALL = {*SNP_OPTIONS, "allow_missing_crl"}
#: One option, and what of the policy is then different.
CASES: Mapping[tuple[str, ...], tuple[str, object]] = {
    ("--accept-advisory", "amd-sb-3027"): ("accepted_advisories", frozenset({"AMD-SB-3027"})),
    ("--minimum-tcb", "Milan:snp=29"): (
        "minimum_tcb",
        ((SnpProduct.MILAN, TcbVersion(bootloader=0, tee=0, snp=29, microcode=0)),),
    ),
    ("--allow-provisional-firmware",): ("allow_provisional_firmware", True),
    ("--require-vcek",): ("require_vcek", True),
    ("--allow-masked-chip-id",): ("allow_masked_chip_id", True),
    ("--allow-migration-agent",): ("refused_guest_policy", frozenset()),
    ("--refuse-guest-policy", "SMT"): ("refused_guest_policy", frozenset({"MIGRATE_MA", "SMT"})),
    ("--require-guest-policy", "SINGLE_SOCKET"): ("required_guest_policy", frozenset({"SINGLE_SOCKET"})),
    ("--require-platform-info", "ECC_EN"): ("required_platform_info", frozenset({"ECC_EN"})),
    ("--refuse-platform-info", "SMT_EN"): ("refused_platform_info", frozenset({"SMT_EN"})),
    ("--minimum-abi", "1.55"): ("minimum_abi", (1, 55)),
    ("--max-vmpl", "2"): ("max_vmpl", 2),
    ("--require-mitigations", "4"): ("required_mitigations", 4),
}


def options_of(*args: str) -> ChannelOptions:
    """What a command with the options of a channel is given by ``args``."""
    taken: list[ChannelOptions] = []

    @click.command()
    @channel_options()
    def command(**values: Any) -> None:
        taken.append(ChannelOptions.take(values))
        assert values == {}

    done = CliRunner().invoke(command, args)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return taken[0]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_same_words_everywhere(command: click.Command) -> None:
    def words(of: click.Command) -> dict[str | None, object]:
        return {item.name: (item.opts, item.metavar, item.default) for item in of.params if item.name in ALL}

    assert words(command) == words(verify)
    assert words(command).keys() == ALL


@pytest.mark.parametrize("given", CASES, ids=lambda given: given[0])
def test_each_becomes_policy(given: tuple[str, ...]) -> None:
    name, value = CASES[given]
    policy, plain = options_of(*given).policy().snp, SnpPolicy()
    assert getattr(policy, name) == value
    others = {item.name for item in fields(SnpPolicy)} - {name}
    assert all(getattr(policy, other) == getattr(plain, other) for other in others)


def test_no_part_of_the_policy_is_without_an_option() -> None:
    assert {name for name, _ in CASES.values()} == {item.name for item in fields(SnpPolicy)}
    assert options_of().policy().snp == SnpPolicy()


@pytest.mark.parametrize("args", [(), ("--allow-missing-crl",)])
def test_the_verifier_has_it(args: tuple[str, ...]) -> None:
    options = options_of("--verifier", "sev_snp", "--max-vmpl", "1", *args)
    config, _ = build_channel_config(options, needs_attester=False, needs_verifier=True)
    assert isinstance(config.verifier, EvidenceVerifier)
    assert config.verifier.policy.snp == SnpPolicy(max_vmpl=1)
    assert options.allow_missing_crl == bool(args)


# As processes. The simulated AMD's keys take seconds: one folder for all.

SNP = ("-a", "simulated-snp", "-v", "simulated-snp")


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("amd") / "vendor"


@pytest.fixture(scope="module")
def server(vendor: Path) -> Any:
    env = {"EAA_SIMULATED_DIR": str(vendor), "EAA_SIMULATED_SNP": "signing_key=VLEK"}
    with serving("enclave_tls_server", "-p", 0, *SNP, env=env) as started:
        yield started


REFUSED = {
    ("--require-vcek",): "appraisal.signing_key",
    ("--minimum-tcb", "Milan:snp=200"): "appraisal.minimum_tcb",
    ("--minimum-tcb", "Genoa:snp=1"): "appraisal.minimum_tcb",
    ("--require-guest-policy", "SINGLE_SOCKET"): "appraisal.guest_policy_single_socket",
    ("--minimum-abi", "99.0"): "appraisal.guest_policy_abi",
}


@pytest.mark.parametrize(("options", "code"), REFUSED.items(), ids=lambda item: item[0])
def test_a_peer_that_does_not_do_is_refused(
    server: Serving, vendor: Path, options: tuple[str, ...], code: str
) -> None:
    env = {"EAA_SIMULATED_DIR": str(vendor)}
    done = finish("enclave_tls_client", "-p", server.port, *SNP, *options, env=env)
    assert (done.code, done.out) == (10, "")
    assert code in done.err


def test_what_is_asked_and_there_is_accepted(server: Serving, vendor: Path) -> None:
    env = {"EAA_SIMULATED_DIR": str(vendor)}
    done = finish("enclave_tls_client", "-p", server.port, *SNP, "--minimum-tcb", "Milan:snp=1", env=env)
    assert done.code == 0, done.err
    assert done.out.startswith("proven: snp evidence")


def test_a_forwarder_refuses_its_workload(server: Serving, vendor: Path) -> None:
    env = {"EAA_SIMULATED_DIR": str(vendor)}
    where = f"127.0.0.1:{server.port}"
    own = ("--attester", "simulated-snp", "--verifier", "simulated-snp")
    strict = finish("inclavared", "-c", where, *own, "--require-vcek", env=env)
    assert (strict.code, strict.out) == (10, "")
    assert "appraisal.signing_key" in strict.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("minimum-abi = 1.55", "1.55 is not a version in quotes"),
        ("minimum-tcb = [29]", "29 is not PRODUCT:PART=N"),
        ("minimum-tcb = ['Rome:snp=1']", "not one of Milan, Genoa, Turin"),
        ("max-vmpl = 4", "4 is not in the range"),
        ("accept-advisory = ['SB-3027']", "expected ids such as AMD-SB-3027"),
    ],
)
def test_the_agents_file_is_checked(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "agent.toml"
    file.write_text(f"{text}\n")
    done = finish("attestation_agent", "-C", file, "evidence")
    assert done.code == 2
    assert words in done.err


def test_the_agents_file_and_environment() -> None:
    taken: list[ChannelOptions] = []

    @click.command(context_settings={"auto_envvar_prefix": "AGENT"})
    @channel_options()
    def command(**values: Any) -> None:
        taken.append(ChannelOptions.take(values))

    file = {"minimum_tcb": ["Milan:snp=29", "Turin:fmc=1"], "minimum_abi": "1.55", "require_vcek": True}
    done = CliRunner().invoke(command, [], default_map=file, env={"AGENT_MAX_VMPL": "1"})
    assert done.exit_code == 0, done.output
    policy = taken[0].snp
    assert [product for product, _ in policy.minimum_tcb] == [SnpProduct.MILAN, SnpProduct.TURIN]
    assert (policy.minimum_abi, policy.require_vcek, policy.max_vmpl) == ((1, 55), True, 1)
