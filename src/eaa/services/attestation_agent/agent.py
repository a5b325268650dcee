"""What the agent does, whichever way it is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from eaa.broker.eaa.names import FILES
from eaa.broker.names import ResourcePath
from eaa.codec.strict_json import parse_json
from eaa.errors import FormatError, UnsupportedError
from eaa.oci.key_id import parse_key_id
from eaa.services.attestation_agent.cache import CachedSecrets
from eaa.services.attestation_agent.evidence import GuestEvidence
from eaa.services.attestation_agent.image_keys import unwrap_key, wrap_key
from eaa.services.attestation_agent.measurement import RuntimeMeasurement
from eaa.services.attestation_agent.modules import make_module
from eaa.services.attestation_agent.params import KbcParams
from eaa.services.attestation_agent.registers import Extender
from eaa.services.attestation_agent.sealed_secrets import unseal_secret
from eaa.services.attestation_agent.secrets import SecretsModule
from eaa.services.attestation_agent.terms import AgentTerms
from eaa.tls.peer import Attester, Role
from eaa.transport.config import ChannelConfig

__all__ = ["Agent", "make_agent"]

_MAX_DESCRIPTION = 16 * 1024


@dataclass(slots=True)
class Agent:
    """One guest's; made by :func:`make_agent` and closed at the end.

    ``proves_broker``: resources can only come from the broker that is named: what they say may be believed.
    """

    params: KbcParams | None
    proves_broker: bool
    evidence: GuestEvidence
    measurement: RuntimeMeasurement
    secrets: CachedSecrets = field(repr=False)
    module: SecretsModule = field(repr=False)
    signing_keys: Path

    async def resource(self, text: str) -> bytes:
        """What is at ``kbs://[host]/repository/type/tag``, or the path alone; the host says nothing.

        Raises:
            FormatError: ``text`` is no such path.
            EAAError: as :class:`~eaa.services.attestation_agent.secrets.GuestSecrets`.
        """
        return await self.secrets.resource(parse_resource_path(text))

    async def described_resource(self, first: str, second: str, third: str) -> bytes:
        """What a request of the first agents means, in either order of its three texts.

        From v0.5 on they were the path, the module's name and its URI; before, name, URI and a JSON object
        of ``name``, one of a few, and ``optional``. Nothing but such an object begins with a brace.

        Raises:
            UsageError: ``usage.kbc``: another module is named than this agent has.
            EAAError: as :meth:`resource`.
        """
        described = third.lstrip().startswith("{")
        name, uri = (first, second) if described else (second, third)
        if self.params is not None:
            self.params.require_same(name, uri)
        if described:
            return await self.secrets.resource(_described(third))
        return await self.resource(first)

    async def token(self, kind: str) -> bytes:
        """A token of the broker, JSON of ``token`` and ``tee_keypair``.

        Raises:
            UnsupportedError: ``unsupported.token_type``: not ``kbs``; ``unsupported.token``.
            EAAError: attestation fails.
        """
        if kind != "kbs":
            raise UnsupportedError(f"expected the token type kbs, got {kind[:32]!r}", detail="token_type")
        return await self.module.token()

    async def unwrap_key(self, request: bytes) -> bytes:
        """See :func:`~eaa.services.attestation_agent.image_keys.unwrap_key`."""
        return await unwrap_key(request, self.secrets, self.params)

    async def wrap_key(self, request: bytes) -> bytes:
        """See :func:`~eaa.services.attestation_agent.image_keys.wrap_key`."""
        return await wrap_key(request, self.secrets)

    async def unseal(self, text: bytes) -> bytes:
        """See :func:`~eaa.services.attestation_agent.sealed_secrets.unseal_secret`."""
        return await unseal_secret(text, self.secrets, self.signing_keys)

    async def close(self) -> None:
        """Drop the secrets, and end the connections."""
        self.secrets.forget()
        await self.module.close()


def make_agent(
    terms: AgentTerms, *, attester: Attester | None, extender: Extender | None, channel: ChannelConfig | None
) -> Agent:
    """An agent; nothing is connected yet.

    Args:
        terms: its configuration.
        attester: collects the guest's evidence; ``None`` where there is no TEE.
        extender: the TEE's runtime registers, if it has such.
        channel: for ``eaa_kbc``, with the same attester, and who verifies verdictd.

    Raises:
        ConfigError: what it is configured with cannot be used.
    """
    measurement = RuntimeMeasurement(extender, terms.event_log)
    evidence = GuestEvidence(attester, measurement.log)
    module = make_module(terms, evidence, measurement, channel)
    secrets = CachedSecrets(module, terms.cache)
    # A channel whose verifier is null is open to whoever answers.
    verified = channel is None or channel.terms(Role.CLIENT).demands
    proves_broker = terms.params is not None and terms.params.proves_broker and verified
    return Agent(terms.params, proves_broker, evidence, measurement, secrets, module, terms.signing_keys)


def parse_resource_path(text: str) -> ResourcePath:
    """The path in ``text``, with or without ``kbs://[host]/``.

    Raises:
        FormatError: it is none; ``format.resource_path``: the plain name of a key.
    """
    path = parse_key_id(text).resource_path
    if path is None:
        raise FormatError(
            "expected kbs:///repository/type/tag", what="resource", field="path", detail="resource_path"
        )
    return path


def _described(text: str) -> ResourcePath:
    """Of a ``ResourceDescription``, whose ``optional`` never meant anything."""
    if len(text) > _MAX_DESCRIPTION:
        raise _bad(f"more than {_MAX_DESCRIPTION} characters")
    document = parse_json(text, "resource description")
    name = document.get("name") if isinstance(document, dict) else None
    if not isinstance(name, str) or name not in FILES:
        raise _bad(f"expected a name of {', '.join(FILES)}")
    return FILES[name].path


def _bad(message: str) -> FormatError:
    return FormatError(message, what="resource description", field="name", detail="resource_name")
