"""Pinned root certificates of the vendors, with source and SHA-256 of the DER.

Intel has issued its SGX root twice under one key and serial number, with different validity. A
chain is accepted only if its root is byte for byte one of the anchors, so that both are here.

- ``intel_sgx_root_ca_2049.pem``: published by Intel at
  ``https://certificates.trustedservices.intel.com/Intel_SGX_Provisioning_Certification_RootCA.pem``.
- ``intel_sgx_root_ca_2033.pem``: its predecessor at the same place until 2022; it is in the chains of
  quotes and collateral of that time.

What Intel's root has issued is listed in ``intel_README.md`` and loaded by
:mod:`eaa.endorsements.intel_issuers`; AMD's are listed in ``amd_README.md`` and loaded by
:mod:`eaa.endorsements.amd_roots`; those of SEV and of Hygon, in their own formats, in ``sev_README.md`` and
``hygon_README.md``.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files

from eaa.codec.pem import decode_pem_certificates
from eaa.endorsements.x509 import Certificate, parse_certificate
from eaa.errors import InternalError

__all__ = ["INTEL_SGX_ROOTS", "SIMULATED_NAME_PREFIX", "load_pinned", "load_pinned_bytes"]

#: Every certificate name of a simulated vendor starts so. Such a root is never pinned here.
SIMULATED_NAME_PREFIX = "EAA Simulated"

_INTEL_SGX_ROOTS = {
    "intel_sgx_root_ca_2049.pem": "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3",
    "intel_sgx_root_ca_2033.pem": "fc64f8076d79a4fee9d1d473d74c89eb8d8fd55c5abafeabeba7366d20429404",
}


def load_pinned(name: str, sha256: str) -> Certificate:
    """The certificate in the package's file ``name``, PEM, whose DER has this SHA-256.

    Raises:
        InternalError: it is another one.
    """
    (der,) = decode_pem_certificates((files(__name__) / name).read_bytes(), name)
    return parse_certificate(_pinned(name, der, sha256), what=name)


def load_pinned_bytes(name: str, sha256: str) -> bytes:
    """The package's file ``name``, which has this SHA-256; raises InternalError as :func:`load_pinned`."""
    return _pinned(name, (files(__name__) / name).read_bytes(), sha256)


def _pinned(name: str, data: bytes, sha256: str) -> bytes:
    if hashlib.sha256(data).hexdigest() != sha256:
        raise InternalError(f"{name} is not the certificate that was pinned", detail="root")
    return data


#: "Intel SGX Root CA", valid until 2049 and until 2033.
INTEL_SGX_ROOTS: tuple[Certificate, ...] = tuple(
    load_pinned(name, sha256) for name, sha256 in _INTEL_SGX_ROOTS.items()
)
