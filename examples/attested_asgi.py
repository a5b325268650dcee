"""An ASGI application served over attested channels.

    python examples/attested_asgi.py /run/simulated-vendor

The folder holds a simulated vendor, made at the first use; with hardware, name another attester. Prints the
URL that it serves at.
"""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

from eaa.attester.simulated_attester import StoredSimulatedAttester
from eaa.attester.simulated_store import SimulatedStore
from eaa.transport.asgi import EXTENSION, make_server
from eaa.transport.config import ChannelConfig, utc_now


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Says what was proven about whoever asks."""
    if scope["type"] != "http":
        return
    peer = scope["extensions"][EXTENSION]
    body = json.dumps({"path": scope["path"], "client_proven": peer.proven}).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]}
    )
    await send({"type": "http.response.body", "body": body})


def main(folder: str) -> None:
    store = SimulatedStore(Path(folder))
    attester = StoredSimulatedAttester("simulated", "sgx", store=store, now=utc_now, fields={}, debug=False)
    config = ChannelConfig(attester=attester, verifier=None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        sys.stdout.write(f"https://{address}\n")
        sys.stdout.flush()
        make_server(app, config, f"tcp://{address}", lifespan="off", log_level="warning").run([listener])


if __name__ == "__main__":
    main(sys.argv[1])
