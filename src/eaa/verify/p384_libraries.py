"""The libraries for P-384 besides the default, by the extras that bring them."""

from __future__ import annotations

from eaa.errors import ConfigError
from eaa.verify.p384 import P384Library

__all__ = ["aws_lc"]


def aws_lc() -> P384Library:
    """AWS-LC, the extra ``aws-lc``.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        from eaa.verify.p384_aws_lc import aws_lc_key  # noqa: PLC0415 - optional
    except ImportError as error:
        raise ConfigError("AWS-LC needs awscrt: pip install eaa[aws-lc]", key="aws-lc") from error
    return aws_lc_key
