"""An asyncio httpx client that talks only to a server whose evidence it has accepted.

    python examples/attested_httpx_async.py /run/simulated-vendor https://127.0.0.1:8443/a https://127.0.0.1:8443/b

All URLs are asked at once; connections are attested when they are made, and used again. The folder holds the
root of the simulated vendor to believe, as in attested_httpx.py.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx

from eaa.appraisal.policy import Policy
from eaa.attester.simulated_store import SimulatedStore
from eaa.tls.verifiers import make_verifier
from eaa.transport.config import ChannelConfig, utc_now
from eaa.transport.httpx_async import AsyncAttestedTransport, attested_peer
from eaa.verify.dcap import Memo


async def main(folder: str, urls: Sequence[str]) -> None:
    root = SimulatedStore(Path(folder)).trust_anchor(now=utc_now())
    verifier = make_verifier(
        "simulated", policy=Policy(), pool=None, trust_anchors=[root], memo=Memo(8), allow_null=False
    )
    config = ChannelConfig(attester=None, verifier=verifier)
    async with httpx.AsyncClient(transport=AsyncAttestedTransport(config)) as client:
        responses = await asyncio.gather(*(client.get(url) for url in urls))
    for response in responses:
        peer = attested_peer(response)
        sys.stdout.write(f"{response.text} proven {peer.proven}, MRENCLAVE {peer.claims()['mr_enclave']}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
