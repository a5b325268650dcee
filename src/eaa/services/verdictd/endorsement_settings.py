"""The section ``[endorsements]`` as the settings of providers."""

from __future__ import annotations

from pathlib import Path

from eaa.errors import ConfigError
from eaa.provider.settings import ProviderSettings, parse_provider
from eaa.services.verdictd.config import VerdictdConfig

__all__ = ["endorsement_settings"]


def endorsement_settings(config: VerdictdConfig) -> ProviderSettings | None:
    """Whom to ask; ``None`` if nobody is configured.

    Raises:
        ConfigError: the file with the key cannot be read.
    """
    section = config.endorsements
    if not section.providers:
        return None
    return ProviderSettings(
        providers=tuple(parse_provider(text) for text in section.providers),
        cache=section.cache or config.state_directory / "endorsements",
        tls_ca=section.tls_ca,
        pcs_api_key=_key(section.pcs_key_file),
        update=section.tcb_update,
    )


def _key(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        return file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"endorsements.pcs_key_file: {file}: {error}", detail="pcs_key", file=str(file)
        ) from None
