"""The libraries for ECDSA besides the default, by the extras that bring them."""

from __future__ import annotations

from eaa.errors import ConfigError
from eaa.verify.ecdsa import EcdsaLibrary

__all__ = ["aws_lc"]


def aws_lc() -> EcdsaLibrary:
    """AWS-LC, the extra ``aws-lc``; the same value each time.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        from eaa.verify.ecdsa_aws_lc import AWS_LC  # noqa: PLC0415 - optional
    except ImportError as error:
        raise ConfigError("AWS-LC needs awscrt: pip install eaa[aws-lc]", key="aws-lc") from error
    return AWS_LC
