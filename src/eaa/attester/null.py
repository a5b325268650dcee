"""The attester that has no evidence, for those who ask for it by name."""

from __future__ import annotations

from eaa.errors import AttesterError
from eaa.tls.peer import AttachedEvidence

__all__ = ["NullAttester"]


class NullAttester:
    """Has nothing to show. A channel that holds one presents no evidence, and says so each time."""

    name = "nullattester"
    warning = "nullattester: this end shows no evidence, so that nothing is proven about it"

    def collect(self, report_data: bytes) -> AttachedEvidence:
        """
        Raises:
            AttesterError: always, ``attester.null``: there is no evidence that could be mistaken for some.
        """
        raise AttesterError("nullattester has no evidence", detail="null")
