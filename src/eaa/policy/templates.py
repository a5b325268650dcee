"""Policies that come with EAA, by name: a literal table, the texts beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from eaa.broker.records import PolicyKind
from eaa.errors import UsageError

__all__ = ["DEFAULT_ATTESTATION", "DEFAULT_RESOURCE", "TEMPLATES", "Template", "template"]

#: What holds where an owner has set nothing.
DEFAULT_ATTESTATION, DEFAULT_RESOURCE = "default_cpu", "allow_affirming"


@dataclass(frozen=True, slots=True)
class Template:
    """A policy to store as it is, or to begin with.

    ``tee_class`` is that of the attestation policy's id, ``""`` for a resource policy. ``tees`` are the
    TEEs that it has rules for. ``references`` are the reference values that it asks for. ``dangerous``
    ones release secrets to what no policy has found acceptable.
    """

    name: str
    kind: PolicyKind
    description: str
    tee_class: str = ""
    tees: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    dangerous: bool = False

    @property
    def text(self) -> str:
        return _text(self.name)


_SNP_TCB = ("snp_bootloader", "snp_microcode", "snp_snp_svn", "snp_tee_svn")
_AZ_SNP_TCB = ("tcb_bootloader", "tcb_microcode", "tcb_snp", "tcb_tee")

TEMPLATES: Mapping[str, Template] = MappingProxyType(
    {
        item.name: item
        for item in (
            Template(
                "default_cpu",
                PolicyKind.ATTESTATION,
                "Genuine, up to date, configured as expected, and running the expected code, for every CPU "
                "TEE. The names of claims and reference values are Trustee's.",
                tee_class="cpu",
                tees=("sgx", "tdx", "snp", "az-snp-vtpm", "az-tdx-vtpm", "tpm", "se", "sample"),
                references=(
                    *("sgx_mr_enclave", "sgx_mr_signer", "sgx_isv_prod_id", "sgx_minimum_isv_svn"),
                    *("mr_td", "rtmr_1", "rtmr_2", "tdvfkernel", "tdvfkernelparams", "xfam"),
                    *("snp_launch_measurement", *_SNP_TCB, "snp_smt_enabled", "snp_tsme_enabled"),
                    *("snp_guest_abi_major", "snp_guest_abi_minor", "snp_single_socket", "snp_smt_allowed"),
                    *("measurement", "snp_pcr11", *_AZ_SNP_TCB, "smt_enabled", "tsme_enabled"),
                    *("abi_major", "abi_minor", "single_socket", "smt_allowed", "tdx_pcr11"),
                    *("tpm_pcr11", "trusted_aks"),
                    *("launch_digest", "svn", "major_version", "minimum_minor_version"),
                ),
            ),
            Template(
                "hardware_only_cpu",
                PolicyKind.ATTESTATION,
                "Genuine, up to date and not under debug; which code runs is not looked at, so that "
                "executables stays 33 and the result is never affirming.",
                tee_class="cpu",
                tees=("sgx", "tdx", "snp", "az-snp-vtpm", "az-tdx-vtpm"),
                references=(*_SNP_TCB, *_AZ_SNP_TCB),
            ),
            Template(
                "allow_affirming",
                PolicyKind.RESOURCE,
                "Releases to whom every attestation policy affirms, and to nobody else.",
            ),
            Template("deny_all", PolicyKind.RESOURCE, "Releases nothing."),
            Template(
                "allow_genuine",
                PolicyKind.RESOURCE,
                "DANGEROUS: releases resources to any genuine TEE, whatever code it runs and however out of "
                "date.",
                dangerous=True,
            ),
            Template(
                "allow_sample",
                PolicyKind.RESOURCE,
                "DANGEROUS: releases resources to the sample TEE, which proves nothing; for tests.",
                tees=("sample",),
                dangerous=True,
            ),
        )
    }
)


def template(name: str) -> Template:
    """The template of that name.

    Raises:
        UsageError: ``usage.template``: there is none.
    """
    found = TEMPLATES.get(name)
    if found is None:
        raise UsageError(f"no template {name[:64]!r}, there are {', '.join(TEMPLATES)}", detail="template")
    return found


@cache
def _text(name: str) -> str:
    return files("eaa.policy").joinpath("templates", f"{name}.rego").read_text("utf-8")
