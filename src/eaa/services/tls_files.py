"""The certificate of a service's HTTP listener."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Protocol

from eaa.errors import ConfigError

__all__ = ["HttpFiles", "require_certificate"]


class HttpFiles(Protocol):
    """The section of a configuration that names them."""

    @property
    def certificate(self) -> Path | None: ...

    @property
    def private_key(self) -> Path | None: ...


def require_certificate(http: HttpFiles) -> None:
    """Nothing, where TLS is not configured, or certificate and key can be used.

    Raises:
        ConfigError: ``config.certificate``: a file cannot be read or is no PEM, or the key is another's.
    """
    if http.certificate is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            http.certificate, http.private_key, password=""
        )
    except OSError as error:
        reason = error.strerror or "no certificate and key in PEM that belong together"
        raise ConfigError(
            f"http: {http.certificate}, {http.private_key}: {reason}",
            detail="certificate", file=str(http.certificate), key="http.certificate",
        ) from None  # fmt: skip
