from __future__ import annotations

import hashlib

import pytest

from eaa.endorsements import roots
from eaa.endorsements.roots import INTEL_SGX_ROOTS, SIMULATED_NAME_PREFIX
from eaa.errors import InternalError


def test_both_of_intels_roots_are_pinned() -> None:
    assert [hashlib.sha256(root.der).hexdigest() for root in INTEL_SGX_ROOTS] == [
        "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3",
        "fc64f8076d79a4fee9d1d473d74c89eb8d8fd55c5abafeabeba7366d20429404",
    ]
    assert {root.common_name for root in INTEL_SGX_ROOTS} == {"Intel SGX Root CA"}
    assert len({root.spki for root in INTEL_SGX_ROOTS}) == 1
    assert all(root.ca and root.issuer == root.subject for root in INTEL_SGX_ROOTS)


def test_no_simulated_root_is_pinned() -> None:
    assert not any(root.common_name.startswith(SIMULATED_NAME_PREFIX) for root in INTEL_SGX_ROOTS)


def test_a_certificate_that_was_not_pinned_is_a_broken_installation() -> None:
    with pytest.raises(InternalError) as caught:
        roots.load_pinned("intel_sgx_root_ca_2049.pem", "00" * 32)
    assert caught.value.code == "internal.root"
