"""What all connections of one configuration share: keys, threads, verdicts, and the bounds on work.

Evidence is collected and appraised in threads of its own, never on an event loop and never inside a
handshake callback.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

from eaa.errors import InternalError
from eaa.tls.peer import AttachedEvidence, Role
from eaa.transport.appraisals import Appraisals, Verdict
from eaa.transport.channel import Credentials
from eaa.transport.config import ChannelConfig
from eaa.transport.identity import Identity

__all__ = ["Endpoint", "endpoint_of"]

_APPRAISING_THREADS = 4


class Endpoint:
    """One configuration at work. Thread-safe."""

    def __init__(self, config: ChannelConfig) -> None:
        self.config = config
        # The attester is asked from these threads only, so that their number is the bound.
        self._collecting = ThreadPoolExecutor(config.max_concurrent_collections, "eaa-collect")
        self._working = ThreadPoolExecutor(_APPRAISING_THREADS, "eaa-appraise")
        self._identities: dict[Role, Identity] = {}
        self._lock = threading.Lock()
        self._appraisals: Appraisals | None = None
        if config.verifier is not None:
            self._appraisals = Appraisals(
                config.verifier,
                policy_version=config.policy_version,
                max_seconds=config.max_result_seconds,
                clock=config.clock,
                executor=self._working,
            )

    def credentials(self, role: Role) -> Future[Credentials]:
        """What to authenticate with as ``role``. Shared: not to be cancelled.

        Raises:
            ConfigError: the configuration is not whole for ``role``.
        """
        self.config.require_role(role)
        with self._lock:
            identity = self._identities.get(role)
            if identity is None:
                identity = Identity(role, self.config, self._collect, self._collecting)
                self._identities[role] = identity
        return identity.credentials()

    def collect(self, report_data: bytes) -> Future[AttachedEvidence]:
        """Own evidence with ``report_data``, 64 bytes."""
        return self._collecting.submit(self._collect, report_data)

    def appraise(self, evidence: AttachedEvidence, report_data: bytes) -> Future[Verdict]:
        """The verdict on a peer's evidence. Shared: not to be cancelled."""
        if self._appraisals is None:
            raise InternalError("evidence was demanded without a verifier", detail="no_verifier")
        return self._appraisals.appraise(evidence, report_data)

    def _collect(self, report_data: bytes) -> AttachedEvidence:
        if self.config.attester is None:
            raise InternalError("evidence was promised without an attester", detail="no_attester")
        return self.config.attester.collect(report_data)


_LOCK = threading.Lock()


def endpoint_of(config: ChannelConfig) -> Endpoint:
    """The endpoint of ``config``: the same for the same value, for as long as it lives."""
    with _LOCK:
        if not config.shared:
            config.shared.append(Endpoint(config))
        endpoint = config.shared[0]
    if not isinstance(endpoint, Endpoint):
        raise InternalError("what a configuration shares is not an endpoint", detail="endpoint")
    return endpoint
