"""Options that ``verdict image`` hands to skopeo, in skopeo's words."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from eaa.cli.verdict_image_skopeo import Skopeo

__all__ = ["copy_options", "inspect_options"]

F = TypeVar("F", bound=Callable[..., Any])


def copy_options(function: F) -> F:
    """What copying an image needs; the command gets a :class:`Skopeo` as ``skopeo``."""

    @_program_options
    @_policy_options
    @_end_options("src")
    @_end_options("dest")
    @click.option(
        "--keep-uncompressed", is_flag=True,
        help="In an oci: destination leave layers uncompressed that are; skopeo compresses them.",
    )  # fmt: skip
    @functools.wraps(function)
    def copying(
        *, skopeo: str, policy: str | None, insecure_policy: bool, authfile: str | None,
        keep_uncompressed: bool, src_tls_verify: bool, src_cert_dir: str | None,
        dest_tls_verify: bool, dest_cert_dir: str | None, **options: Any,
    ) -> Any:  # fmt: skip
        destination = _end(authfile, dest_tls_verify, dest_cert_dir)
        program = Skopeo(
            skopeo,
            _policy(policy, insecure_policy),
            _end(authfile, src_tls_verify, src_cert_dir),
            destination,
            ("--dest-oci-accept-uncompressed-layers",) if keep_uncompressed else (),
        )
        return function(skopeo=program, **options)

    return copying  # type: ignore[return-value]  # a command's function has other parameters than it shows


def inspect_options(function: F) -> F:
    """What reading an image needs; the command gets a :class:`Skopeo` as ``skopeo``."""

    @_program_options
    @_end_options("")
    @functools.wraps(function)
    def reading(
        *, skopeo: str, authfile: str | None, tls_verify: bool, cert_dir: str | None, **options: Any
    ) -> Any:
        return function(skopeo=Skopeo(skopeo, (), _end(authfile, tls_verify, cert_dir)), **options)

    return reading  # type: ignore[return-value]  # as above


def _program_options(function: F) -> F:
    program = click.option(
        "--skopeo", metavar="PROGRAM", envvar="VERDICT_SKOPEO", default="skopeo", show_default=True,
        help="Which skopeo; also VERDICT_SKOPEO.",
    )  # fmt: skip
    authfile = click.option(
        "--authfile", metavar="FILE", help="Credentials for registries.  [default: skopeo's]"
    )
    return program(authfile(function))


def _policy_options(function: F) -> F:
    policy = click.option(
        "--policy", metavar="FILE", help="Which signatures images need.  [default: skopeo's]"
    )
    insecure = click.option("--insecure-policy", is_flag=True, help="Take images whoever signed them.")
    return policy(insecure(function))


def _end_options(end: str) -> Callable[[F], F]:
    prefix, where = (f"{end}-", f" of {'SRC' if end == 'src' else 'DST'}") if end else ("", "")

    def add(function: F) -> F:
        verify = click.option(
            f"--{prefix}tls-verify/--no-{prefix}tls-verify", default=True,
            help=f"Whether the registry{where} must have a good certificate.  [default: yes]",
        )  # fmt: skip
        certificates = click.option(
            f"--{prefix}cert-dir", metavar="FOLDER", help=f"Certificates for the registry{where}."
        )
        return verify(certificates(function))

    return add


def _policy(policy: str | None, insecure: bool) -> tuple[str, ...]:
    if policy is not None and insecure:
        raise click.UsageError("expected either --policy or --insecure-policy")
    if insecure:
        return ("--insecure-policy",)
    return () if policy is None else ("--policy", policy)


def _end(authfile: str | None, tls_verify: bool, cert_dir: str | None) -> tuple[str, ...]:
    return (
        *(() if tls_verify else ("tls-verify=false",)),
        *(() if cert_dir is None else (f"cert-dir={cert_dir}",)),
        *(() if authfile is None else (f"authfile={authfile}",)),
    )
