"""Documents that the simulated vendor signs: a JSON object with a detached signature [PCS-API v4]."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from eaa.attester.simulated.certificates import SimulatedCertificate, chain_pem
from eaa.attester.simulated.keys import PrivateKey, sign_raw
from eaa.attester.simulated.signing import Edit
from eaa.endorsements.collateral import SignedDocument
from eaa.endorsements.tcb import TcbStatus

__all__ = ["SimulatedDocument", "SimulatedIsvLevel", "isv_levels", "json_time"]


@dataclass(kw_only=True, eq=False)
class SimulatedDocument:
    """What all documents have. Signed anew at each :meth:`sign`, over the fields as they are then.

    ``chain`` is ``signer`` and its issuer unless given. ``signing_key`` signs in place of the signer's
    key; ``edit_body`` maps the JSON text that would be signed to what is signed in its place.
    """

    signer: SimulatedCertificate
    issue_date: datetime  # aware
    next_update: datetime  # aware
    evaluation_data_number: int = 17
    signing_key: PrivateKey | None = None
    chain: Sequence[SimulatedCertificate] | None = None
    edit_body: Edit | None = None

    def content(self) -> dict[str, Any]:
        """The JSON object."""
        raise NotImplementedError

    def sign(self) -> SignedDocument:
        """The document with its signature and issuer chain."""
        body = json.dumps(self.content(), separators=(",", ":")).encode()
        if self.edit_body is not None:
            body = self.edit_body(body)
        signature = sign_raw(self.signing_key or self.signer.key, body)
        chain = self.chain if self.chain is not None else (self.signer, self.signer.issuer or self.signer)
        return SignedDocument(body, signature, chain_pem(chain))


@dataclass(kw_only=True, eq=False)
class SimulatedIsvLevel:
    """One TCB level of a quoting enclave or TDX module."""

    isv_svn: int
    tcb_date: datetime
    status: TcbStatus = TcbStatus.UP_TO_DATE
    advisory_ids: list[str] = field(default_factory=list)


def isv_levels(levels: Sequence[SimulatedIsvLevel]) -> list[dict[str, Any]]:
    """``tcbLevels`` of an identity."""
    return [
        {
            "tcb": {"isvsvn": level.isv_svn},
            "tcbDate": json_time(level.tcb_date),
            "tcbStatus": str(level.status),
            **({"advisoryIDs": list(level.advisory_ids)} if level.advisory_ids else {}),
        }
        for level in levels
    ]


def json_time(time: datetime) -> str:
    """``time``, aware UTC, as ``YYYY-MM-DDThh:mm:ssZ``."""
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
