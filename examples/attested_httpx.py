"""An httpx client that talks only to a server whose evidence it has accepted.

    python examples/attested_httpx.py /run/simulated-vendor https://127.0.0.1:8443/

The folder holds the root of the simulated vendor to believe. With hardware, the anchors are Intel's, and a
policy with reference values says which code is acceptable; here none is compared.
"""

from __future__ import annotations

import sys
from pathlib import Path

import httpx

from eaa.appraisal.policy import Policy
from eaa.attester.simulated_store import SimulatedStore
from eaa.tls.verifiers import make_verifier
from eaa.transport.config import ChannelConfig, utc_now
from eaa.transport.httpx_transport import AttestedTransport, attested_peer
from eaa.verify.dcap import Memo


def main(folder: str, url: str) -> None:
    root = SimulatedStore(Path(folder)).trust_anchor(now=utc_now())
    verifier = make_verifier(
        "simulated", policy=Policy(), pool=None, trust_anchors=[root], memo=Memo(8), allow_null=False
    )
    config = ChannelConfig(attester=None, verifier=verifier)
    with httpx.Client(transport=AttestedTransport(config)) as client:
        response = client.get(url)
    peer = attested_peer(response)
    sys.stdout.write(f"{response.text}\nproven {peer.proven}, MRENCLAVE {peer.claims()['mr_enclave']}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
