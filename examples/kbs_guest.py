"""A simulated TDX guest that attests itself to verdictd by the KBS protocol, and fetches a secret.

    python examples/kbs_guest.py default/key/1
    python examples/kbs_guest.py --reference-values

The first writes the secret to stdout, or says why it was refused and ends with 10. The second writes what
this guest measures, as `verdict reference set --file` reads it. VERDICTD_URL says where verdictd is
(http://127.0.0.1:8080), EAA_SIMULATED_DIR where the simulated vendor is. With hardware, name another
attester.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import UTC, datetime

import httpx

from eaa.attester.simulated_attester import StoredSimulatedAttester
from eaa.attester.simulated_store import SimulatedStore, simulated_directory
from eaa.errors import EAAError
from eaa.evidence.dcap_quote import parse_quote_frame
from eaa.tls.peer import EvidenceKind
from eaa.transport.kbs.client import KbsClient

#: Reference values of the default policy, and the fields of a TD report that they are compared with.
REFERENCES = {"mr_td": "mr_td", "rtmr_1": "rt_mr1", "rtmr_2": "rt_mr2", "xfam": "xfam"}


def guest() -> StoredSimulatedAttester:
    store = SimulatedStore(simulated_directory(os.environ))
    return StoredSimulatedAttester(
        "simulated", "tdx", store=store, now=lambda: datetime.now(UTC), fields={}, debug=False
    )


async def fetch(path: str) -> bytes:
    url = os.environ.get("VERDICTD_URL", "http://127.0.0.1:8080")
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        return await KbsClient(http, guest(), EvidenceKind.TDX_QUOTE).resource(path)


def reference_values() -> str:
    report = parse_quote_frame(guest().collect(bytes(64)).evidence).body
    values = {name: [getattr(report, field).hex()] for name, field in REFERENCES.items()}
    return json.dumps(values, indent=2)


def main(argument: str) -> int:
    if argument == "--reference-values":
        print(reference_values())  # noqa: T201 - what it is for
        return 0
    try:
        secret = asyncio.run(fetch(argument))
    except EAAError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command
        return 10
    sys.stdout.buffer.write(secret)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
