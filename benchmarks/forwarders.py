"""What forwards TLS to TLS: inclavared, and haproxy and nginx as Debian packages them.

Each authenticates itself on both sides and demands the same of its peers. Nginx is one process, haproxy one
thread; all else is as it comes.
"""

from __future__ import annotations

import os
import shutil
from contextlib import AbstractContextManager
from pathlib import Path

from benchmarks.ends import ATTESTED
from benchmarks.plain_tls import CERTIFICATE, KEY
from benchmarks.processes import Process, connects, free_port, python, running, says

__all__ = ["HAPROXY", "INCLAVARED", "NGINX", "PACKAGES", "inclavared", "installed", "peer"]

INCLAVARED, HAPROXY, NGINX = "inclavared", "haproxy", "nginx"
PACKAGES = {HAPROXY: "haproxy", NGINX: "nginx libnginx-mod-stream"}
_STREAM_MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")

_HAPROXY = """
global
  nbthread 1
defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
listen forwarding
  bind 127.0.0.1:{port} ssl crt {both} ca-file {peers} verify required ssl-min-ver TLSv1.3
  server upstream {upstream} ssl crt {both} ca-file {peers} verify required ssl-min-ver TLSv1.3
"""
_NGINX = """
load_module {module};
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr error;
events {{}}
stream {{
  ssl_protocols TLSv1.3;
  ssl_certificate {both};
  ssl_certificate_key {both};
  ssl_client_certificate {peers};
  ssl_verify_client on;
  proxy_ssl on;
  proxy_ssl_protocols TLSv1.3;
  proxy_ssl_certificate {both};
  proxy_ssl_certificate_key {both};
  proxy_ssl_trusted_certificate {peers};
  proxy_ssl_verify on;
  proxy_ssl_name "EAA attested channel";
  server {{
    listen 127.0.0.1:{port} ssl;
    proxy_pass {upstream};
  }}
}}
"""


def installed(name: str) -> str:
    """The program of ``name``, empty if it is not here, or not whole."""
    folders = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin"))
    program = shutil.which(name, path=folders) or ""
    return "" if name == NGINX and not _STREAM_MODULE.exists() else program


def inclavared(folder: Path, upstream: str, workers: int) -> AbstractContextManager[Process]:
    words = ("--listen", "127.0.0.1:0", "--xfer", upstream, *ATTESTED, "--mutual-downstream")
    own = ("--simulated-dir", str(folder / "vendor"), "--workers", str(workers), "--drain-seconds", "0")
    command = python("eaa.cli.inclavared", *words, *own)
    return running(command, folder, says(r"listening on tcp://(\S+)"))


def peer(name: str, folder: Path, upstream: str) -> AbstractContextManager[Process]:
    """haproxy or nginx, with the identity that all plain ends in ``folder`` have, and believing it alone."""
    own = folder / name
    own.mkdir(exist_ok=True)
    port = free_port()
    text = (_HAPROXY if name == HAPROXY else _NGINX).format(
        port=port, both=folder / KEY, peers=folder / CERTIFICATE, upstream=upstream, folder=own,
        module=_STREAM_MODULE,
    )  # fmt: skip
    settings = own / "settings"
    settings.write_text(text)
    options = ["-db", "-f", str(settings)] if name == HAPROXY else ["-p", str(own), "-c", str(settings)]
    return running([installed(name), *options], own, connects(port))
