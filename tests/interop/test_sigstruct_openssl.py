"""SIGSTRUCT signatures, verified by OpenSSL's command line too."""

from __future__ import annotations

import subprocess
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from eaa.evidence.sigstruct import verify_sigstruct
from tests.fakes.enclave_signer import author_key, signed_sigstruct


def test_openssl_verifies_the_same_signature_over_the_same_bytes(tmp_path: Path) -> None:
    """OpenSSL's command line as an independent verifier of what is signed, and in which byte order."""
    found = signed_sigstruct(isv_prod_id=7, enclave_hash=b"\x06" * 32)
    key, signature, signed = tmp_path / "key.pem", tmp_path / "signature", tmp_path / "signed"
    public = author_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    key.write_bytes(public)
    signature.write_bytes(found.signature[::-1])
    command = ["openssl", "dgst", "-sha256", "-verify", str(key), "-signature", str(signature), str(signed)]
    for data, code in ((found.signed, 0), (bytes((found.signed[0] ^ 1,)) + found.signed[1:], 1)):
        signed.write_bytes(data)
        assert subprocess.run(command, capture_output=True, check=False).returncode == code
    assert found.signed == found.raw[:128] + found.raw[900:1028]
    verify_sigstruct(found)
