"""The model of configfs-tsm, mounted: ``python -m tests.fakes.tsm_fuse MOUNTPOINT PROVIDER [INTERFERENCES]``.

Runs in the foreground until it is unmounted. TDX quotes are those of the simulated vendor of the tests.
"""

from __future__ import annotations

import errno
import importlib
import os
import stat
import sys
from typing import Any

from tests.fakes.tsm import TsmModel, snp_report_of
from tests.fakes.vendor import make_attester

_READ_ONLY = {"generation", "provider", "outblob", "auxblob", "privlevel_floor"}


def main(mountpoint: str, provider: str, interferences: str = "0") -> None:
    fuse = importlib.import_module("mfusepy")  # fails where libfuse is missing; only this process needs it
    sign = make_attester("tdx-v4").collect if provider == "tdx_guest" else snp_report_of
    model = TsmModel("" if provider == "none" else provider, sign)
    model.interferences = int(interferences)
    operations = _operations(fuse, model)
    fuse.FUSE(operations, mountpoint, raw_fi=True, foreground=True, nothreads=True)


def _operations(fuse: Any, model: TsmModel) -> Any:
    class Operations(fuse.Operations):  # type: ignore[misc]  # mfusepy ships no types
        use_ns = True

        def getattr(self, path: str, fh: Any = None) -> dict[str, int]:
            entry, _, attribute = path.strip("/").partition("/")
            known = ("", *model.entries), ("", *model.attributes)
            if entry not in known[0] or attribute not in known[1]:
                raise fuse.FuseOSError(errno.ENOENT)
            if not attribute:
                return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2}
            mode = 0o444 if attribute in _READ_ONLY else 0o200
            return {"st_mode": stat.S_IFREG | mode, "st_nlink": 1, "st_size": 0}

        def readdir(self, path: str, fh: Any) -> list[str]:
            names = model.attributes if path.strip("/") else tuple(model.entries)
            return [".", "..", *names]

        def mkdir(self, path: str, mode: int) -> int:
            _answer(fuse, model.make, path.strip("/"))
            return 0

        def rmdir(self, path: str) -> int:
            _answer(fuse, model.remove, path.strip("/"))
            return 0

        def open(self, path: str, fi: Any) -> int:
            fi.direct_io = 1  # sizes are not known before they are read
            return 0

        def truncate(self, path: str, length: int, fh: Any = None) -> int:
            return 0

        def read(self, path: str, size: int, offset: int, fh: Any) -> bytes:
            entry, _, attribute = path.strip("/").partition("/")
            data: bytes = _answer(fuse, model.read, entry, attribute)
            return data[offset : offset + size]

        def write(self, path: str, data: bytes, offset: int, fh: Any) -> int:
            entry, _, attribute = path.strip("/").partition("/")
            _answer(fuse, model.write, entry, attribute, data)
            return len(data)

    return Operations()


def _answer(fuse: Any, operation: Any, *arguments: Any) -> Any:
    try:
        return operation(*arguments)
    except OSError as error:
        raise fuse.FuseOSError(error.errno) from None


if __name__ == "__main__":
    os.umask(0)
    main(*sys.argv[1:])
