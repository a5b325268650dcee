"""The demo's flow: workload, inclavared and shelter as processes on simulated SGX; then attacks on it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eaa.attester.simulated_store import ENVIRONMENT_VARIABLE, SimulatedStore
from eaa.cli.demo_cases import ACCEPTED, Shown
from eaa.cli.demo_flow_attacks import Outcome, attacks
from eaa.cli.demo_flow_processes import listening, run_to_end
from eaa.cli.reference_store import STORE_VARIABLE
from eaa.cli.simulated_fields import SIMULATED_MR_ENCLAVE
from eaa.errors import InternalError
from eaa.storage.reference_store import REFERENCE_FILE

__all__ = ["flow"]

_WORKLOAD, _INCLAVARED, _SHELTER = "eaa.cli.enclave_tls_server", "eaa.cli.inclavared", "eaa.cli.shelter"
_SIMULATED = ("--attester", "simulated", "--verifier", "simulated", "--mutual", "--drain-seconds", "1")
#: MRENCLAVE of the workload that is expected, and of one that somebody has changed.
_BUILT, _TAMPERED = b"\x11" * 32, b"\xee" * 32


def flow() -> Iterator[tuple[str, Iterator[Outcome]]]:
    """The outcomes under their headings; everything is in a folder that is gone afterwards.

    Raises:
        EAAError: a process does not start, or does not end.
    """
    with tempfile.TemporaryDirectory(prefix="eaa-demo-") as name:
        folder = Path(name)
        environment = {
            ENVIRONMENT_VARIABLE: str(folder / "vendor"),
            STORE_VARIABLE: str(folder / "recorded"),
            "XDG_CONFIG_HOME": str(folder),
        }
        yield "Workload, inclavared and shelter, three processes on simulated SGX", _processes(environment)
        store = SimulatedStore(folder / "vendor")
        yield "Certificates that were copied, and the workload's TLS key stolen", attacks(store, _BUILT)


def _processes(environment: dict[str, str]) -> Iterator[Outcome]:
    with _node(_BUILT, environment) as address:
        yield _attested("nothing recorded", "appraisal.reference_values", address, environment)
        _record(environment)
        yield _attested("as recorded", ACCEPTED, address, environment)
    with _node(_TAMPERED, environment) as address:
        yield _attested("tampered", "appraisal.mr_enclave", address, environment)


@contextmanager
def _node(mr_enclave: bytes, environment: dict[str, str]) -> Iterator[str]:
    """The address of an inclavared before a workload that runs ``mr_enclave``."""
    code = {**environment, SIMULATED_MR_ENCLAVE: mr_enclave.hex()}
    where = ("--ip", "127.0.0.1", "--port", "0")
    with listening(_WORKLOAD, *where, *_SIMULATED, environment=code) as workload:
        upstream = workload.removeprefix("tcp://")
        options = ("--listen", "127.0.0.1:0", "--xfer", upstream, "--workers", "1", *_SIMULATED)
        with listening(_INCLAVARED, *options, environment=environment) as address:
            yield address


def _record(environment: dict[str, str]) -> None:
    done = run_to_end(_SHELTER, "mrverify", "--mr-enclave", _BUILT.hex(), environment=environment)
    if done.code:
        raise InternalError(f"shelter mrverify: {done.err or done.out}", detail="demo")


def _attested(title: str, expected: str, address: str, environment: dict[str, str]) -> Outcome:
    options = ("remoteattestation", "--verifier", "simulated", "--addr", address, "-o", "json")
    done = run_to_end(_SHELTER, *options, environment=environment)
    try:
        found: dict[str, Any] = json.loads(done.out)
        reason = _reason(found).replace(f"{environment[STORE_VARIABLE]}/{REFERENCE_FILE}", "the store")
        shown = Shown(found["verdict"], found["code"], reason)
    except (ValueError, KeyError, TypeError):
        shown = Shown("error", f"exit code {done.code}", done.err or done.out)
    return Outcome(title, expected, shown)


def _reason(found: dict[str, Any]) -> str:
    """The first sentence; of success in the words that people look for."""
    reason = str(found["reasons"][0]).partition("\n")[0]
    return f"Remote attestation is successful: {reason}" if found["exit_code"] == 0 else reason
