"""Layers laid over each other, and every entry that must not get out of its root."""

from __future__ import annotations

import io
import os
import stat
import struct
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eaa.errors import EAAError
from eaa.services.image_pull.forward_reader import ForwardReader
from eaa.services.image_pull.limits import Budget, UnpackLimits
from eaa.services.image_pull.report import SkippedList
from eaa.services.image_pull.rooted import Root
from eaa.services.image_pull.unpack import unpack_layer
from tests.fakes.pull_images import entry, tar

LINK, HARD, CHAR, FIFO = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE
Entries = list[tuple[tarfile.TarInfo, bytes]]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """What no layer may change."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "file").write_text("untouched")
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "rootfs"
    folder.mkdir()
    yield folder
    for inside, names, _ in os.walk(folder):
        for name in names:
            path = Path(inside, name)
            if not path.is_symlink():
                path.chmod(0o755)


def unpack(
    root: Path, *layers: Entries | bytes, limits: UnpackLimits | None = None, piece: int = 1000
) -> SkippedList:
    skipped, budget = SkippedList(), Budget(limits or UnpackLimits())
    descriptor = os.open(root, os.O_RDONLY)
    try:
        for layer in layers:
            data = layer if isinstance(layer, bytes) else tar(layer)
            pieces = (data[start : start + piece] for start in range(0, len(data), piece))
            unpack_layer(Root(descriptor), pieces, budget, skipped)
    finally:
        os.close(descriptor)
    return skipped


def refused(root: Path, *layers: Entries | bytes, **options: Any) -> str:
    with pytest.raises(EAAError) as caught:
        unpack(root, *layers, **options)
    return caught.value.code


def tree(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def test_kinds_of_entries(root: Path) -> None:
    skipped = unpack(
        root,
        [
            entry("./", mode=0o711, mtime=7),
            entry("a", mode=0o750, mtime=5),
            entry("a/file", b"content", mode=0o4755, uid=1, gid=2, mtime=3),
            entry("a/long-" + "n" * 150, b""),
            entry("a/hard", b"", type=HARD, linkname="a/file"),
            entry("a/link", b"", type=LINK, linkname="/etc/../../up"),
            entry("a/pipe", b"", type=FIFO, mode=0o600),
            entry("made/on/the/way", b"x"),
        ],
    )
    found = (root / "a/file").stat()
    assert (root / "a/file").read_bytes() == b"content"
    assert found.st_nlink == 2
    assert os.readlink(root / "a/link") == "/etc/../../up"
    assert stat.S_ISFIFO((root / "a/pipe").stat().st_mode)
    assert (root / "made/on/the/way").read_bytes() == b"x"
    assert [int(path.stat().st_mtime) for path in (root, root / "a", root / "a/file")] == [7, 5, 3]
    assert stat.S_IMODE((root / "a").stat().st_mode) == 0o750
    if os.geteuid() == 0:
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (1, 2, 0o4755)
        assert not skipped.counts


def test_pieces_of_any_size_are_one_layer(root: Path) -> None:
    content = os.urandom(5000)
    for piece in (1, 511, 512, 513, 100_000):
        unpack(root, [entry("f", content), entry("g", b"2")], piece=piece)
        assert (root / "f").read_bytes() == content


def test_upper_layers_replace_lower_ones(root: Path) -> None:
    unpack(
        root,
        [
            entry("folder"),
            entry("folder/x", b"1"),
            entry("file", b"1"),
            entry("link", b"", type=LINK, linkname="file"),
        ],
        [entry("folder", b"now a file"), entry("file"), entry("file/y", b"2"), entry("link", b"a file")],
    )
    assert tree(root) == ["file", "file/y", "folder", "link"]
    assert not (root / "link").is_symlink()


def test_a_folder_keeps_what_is_in_it(root: Path) -> None:
    unpack(root, [entry("a"), entry("a/x", b"")], [entry("a", mode=0o700)])
    assert tree(root) == ["a", "a/x"]


def test_a_hard_link_is_replaced_and_not_written_through(root: Path) -> None:
    unpack(root, [entry("a", b"1"), entry("b", b"", type=HARD, linkname="a")], [entry("b", b"2")])
    assert (root / "a").read_bytes() == b"1"


LOWER = [entry("a"), entry("a/x", b"1"), entry("a/s"), entry("a/s/y", b"1"), entry("b", b"1")]


@pytest.mark.parametrize(
    ("upper", "left"),
    [
        ([entry(".wh.b", b"")], ["a", "a/s", "a/s/y", "a/x"]),
        ([entry("a/.wh.s", b"")], ["a", "a/x", "b"]),
        ([entry("a/.wh..wh..opq", b"")], ["a", "b"]),
        ([entry(".wh..wh..opq", b"")], []),
        ([entry("a/.wh..wh..opq", b""), entry("a/x", b"2")], ["a", "a/x", "b"]),
        ([entry("a/x", b"2"), entry("a/.wh..wh..opq", b"")], ["a", "a/x", "b"]),
        ([entry("a/s/z", b"2"), entry("a/.wh..wh..opq", b"")], ["a", "a/s", "a/s/z", "b"]),
        ([entry("b", b"2"), entry(".wh.b", b"")], ["a", "a/s", "a/s/y", "a/x", "b"]),
        ([entry("none/.wh.x", b""), entry(".wh.none", b"")], ["a", "a/s", "a/s/y", "a/x", "b"]),
    ],
)
def test_whiteouts(root: Path, upper: Entries, left: list[str]) -> None:
    unpack(root, LOWER, upper)
    assert tree(root) == left


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh...", ".wh..wh.aufs", "b/.wh..wh.plnk"])
def test_no_whiteout(root: Path, name: str) -> None:
    assert refused(root, [entry(name, b"")]) == "format.whiteout"


def test_a_whiteout_through_a_link_stays_inside(root: Path, outside: Path) -> None:
    unpack(root, [entry("l", b"", type=LINK, linkname=str(outside))], [entry("l/.wh.file", b"")])
    unpack(root, [entry("l/.wh..wh..opq", b"")])
    assert (outside / "file").read_text() == "untouched"


@pytest.mark.parametrize(
    "hostile",
    [
        [entry("../outside/file", b"changed")],
        [entry("a/../../outside/file", b"changed")],
        [entry("/outside/file", b"changed")],
        [entry("a\x00b", b"", pax_headers={"path": "a\x00b"})],
        [entry("hard", b"", type=HARD, linkname="../outside/file")],
        [entry("hard", b"", type=HARD, linkname="/outside/file")],
        [entry("hard", b"", type=HARD, linkname="none")],
        [entry("hard", b"", type=HARD, linkname="./")],
        [entry("f", b""), entry("f", b"", type=HARD, linkname="f")],
        [entry("f", b""), entry("f/g", b"")],
        [
            entry("a", b"", type=LINK, linkname="b"),
            entry("b", b"", type=LINK, linkname="a"),
            entry("a/x", b""),
        ],
        [entry("./", b"a file")],
    ],
)
def test_paths_that_are_refused(root: Path, outside: Path, hostile: Entries) -> None:
    assert refused(root, hostile).startswith("format.")
    assert (outside / "file").read_text() == "untouched"
    assert sorted(path.name for path in root.parent.iterdir()) == ["outside", "rootfs"]


@pytest.mark.parametrize(
    "hostile",
    [
        [entry("l", b"", type=LINK, linkname="{outside}"), entry("l/file", b"changed")],
        [entry("l", b"", type=LINK, linkname="../outside"), entry("l/file", b"changed")],
        [entry("l", b"", type=LINK, linkname="{outside}/file"), entry("l", b"changed")],
        [entry("l", b"", type=LINK, linkname="{outside}"), entry("l")],
        [entry("l", b"", type=LINK, linkname="{outside}"), entry("l/new"), entry("l/new/x", b"")],
        [
            entry("a"),
            entry("a/l", b"", type=LINK, linkname="../../../outside"),
            entry("m", b"", type=LINK, linkname="a/l/../../.."),
            entry("m/outside/file", b"changed"),
        ],
        [entry("l", b"", type=LINK, linkname="{outside}/file"), entry("h", b"", type=HARD, linkname="l")],
    ],
)
def test_links_that_lead_out_are_followed_as_in_the_container(
    root: Path, outside: Path, hostile: Entries
) -> None:
    for member, _ in hostile:
        member.linkname = member.linkname.format(outside=outside)
    unpack(root, hostile)
    assert (outside / "file").read_text() == "untouched"
    assert (outside / "file").stat().st_nlink == 1
    assert [path.name for path in outside.iterdir()] == ["file"]


def test_a_folder_swapped_for_a_link_between_layers(root: Path, outside: Path) -> None:
    unpack(
        root,
        [entry("d"), entry("d/file", b"1")],
        [entry("d", b"", type=LINK, linkname=str(outside))],
        [entry("d/file", b"changed")],
    )
    assert (outside / "file").read_text() == "untouched"
    assert (root / str(outside)[1:] / "file").read_bytes() == b"changed"


def test_devices_need_root(root: Path) -> None:
    layer = [entry("null", b"", type=CHAR, devmajor=1, devminor=3, mode=0o666)]
    if os.geteuid() == 0:
        unpack(root, layer)
        found = (root / "null").stat()
        assert (stat.S_ISCHR(found.st_mode), found.st_rdev) == (True, os.makedev(1, 3))
    else:
        assert unpack(root, layer).counts == {"device": 1}


def test_what_is_not_permitted_is_reported_and_the_rest_is_there(tmp_path: Path) -> None:
    """As a user that is not root, in a process of its own."""
    if os.geteuid() != 0:
        pytest.skip("the tests are not run by root: every other one shows it")
    folder = tmp_path / "user"
    folder.mkdir()
    os.chown(folder, 1000, 1000)
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if parent.name.startswith("pytest-of-"):
            parent.chmod(0o755)
            break
        parent.chmod(0o755)
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.setgroups([])
            os.setgid(1000)
            os.setuid(1000)
            skipped = unpack(
                folder,
                [
                    entry("null", b"", type=CHAR, devmajor=1, devminor=3),
                    entry("f", b"x", uid=1),
                    entry("d", mode=0o500, uid=1000, gid=1000),
                    entry("d/x", b"", uid=1000, gid=1000),
                ],
            )
            os.write(writer, repr(sorted(skipped.counts.items())).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with open(reader, "rb") as said:
        text = said.read().decode()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert text == "[('device', 1), ('mode', 1), ('owner', 1)]"
    assert tree(folder) == ["d", "d/x", "f"]


def test_extended_attributes(root: Path) -> None:
    headers = {
        "SCHILY.xattr.user.name": "value\udcff",
        "SCHILY.xattr.trusted.overlay.opaque": "y",
        "SCHILY.xattr.security.selinux": "label",
    }
    skipped = unpack(root, [entry("f", b"", pax_headers=headers)])
    what = {item.what for item in skipped.first}
    assert {"xattr 'trusted.overlay.opaque'", "xattr 'security.selinux'"} <= what
    if "xattr 'user.name'" not in what:
        assert os.getxattr(root / "f", "user.name") == b"value\xff"


def test_a_folder_that_its_own_layer_replaces(root: Path) -> None:
    folder = [entry("a"), entry("a/b", mtime=5), entry("a/b/c", b"")]
    unpack(root, [*folder, entry("a", b"now a file")])
    assert (root / "a").read_bytes() == b"now a file"
    unpack(root, [*folder, entry("other/b", mtime=7), entry("a", b"", type=LINK, linkname="other")])
    assert (root / "other/b").stat().st_mtime == 7
    assert tree(root) == ["a", "other", "other/b"]


def sparse_gnu(name: bytes, size: int, ranges: list[tuple[int, bytes]]) -> bytes:
    """An archive of one file in GNU's old form, which Python cannot write."""
    content = b"".join(data for _, data in ranges)
    header = bytearray(512)
    header[0 : len(name)] = name
    header[100:108], header[108:116], header[116:124] = b"0000644\0", b"0000000\0", b"0000000\0"
    header[124:136], header[136:148] = b"%011o\0" % len(content), b"%011o\0" % 0
    header[156:157], header[257:265] = b"S", b"ustar  \0"
    for index, (offset, data) in enumerate(ranges[:4]):
        struct.pack_into("12s12s", header, 386 + 24 * index, b"%011o\0" % offset, b"%011o\0" % len(data))
    header[483:495] = b"%011o\0" % size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + content.ljust(-(-len(content) // 512) * 512, b"\0") + bytes(1024)


def test_sparse_files(root: Path) -> None:
    size = 100 * 1024 * 1024
    unpack(
        root, sparse_gnu(b"hole", 10, []), sparse_gnu(b"sparse", size, [(4096, b"one"), (size - 3, b"end")])
    )
    assert (root / "hole").read_bytes() == bytes(10)
    found = (root / "sparse").stat()
    assert found.st_size == size
    assert found.st_blocks * 512 < 1024 * 1024
    with (root / "sparse").open("rb") as file:
        assert file.read(4099) == bytes(4096) + b"one"
        file.seek(size - 3)
        assert file.read() == b"end"


@pytest.mark.parametrize("ranges", [[(10, b"ab"), (11, b"cd")], [(1000, b"ab")]])
def test_a_sparse_map_that_cannot_be(root: Path, ranges: list[tuple[int, bytes]]) -> None:
    assert refused(root, sparse_gnu(b"s", 100, ranges)) == "format.tar"


WHOLE = tar([entry("first", b"1" * 600), entry("second", b"2" * 600)])


@pytest.mark.parametrize("end", [100, 600, 1024, 1536 + 100, 1536 + 512 + 100, 1536 + 512 + 600])
def test_cut_off(root: Path, end: int) -> None:
    assert refused(root, WHOLE[:end]) in {"format.tar", "format.tar_end"}


def test_an_archive_may_end_with_its_last_entry(root: Path) -> None:
    unpack(root, WHOLE[: 2 * 1536], b"", bytes(1024))
    assert tree(root) == ["first", "second"]


def test_a_damaged_header_is_not_the_end(root: Path) -> None:
    damaged = bytearray(WHOLE)
    damaged[1536] ^= 1
    assert refused(root, bytes(damaged)) == "format.tar_end"


@pytest.mark.parametrize(
    ("layer", "code"),
    [
        (b"no tar" * 200, "format.tar"),
        ([entry("x", b"", type=b"Q")], "unsupported.tar_entry"),
        ([entry("x", b"", uid=(1 << 32) - 1)], "format.bad_value"),
        ([entry("x", b"", pax_headers={"mtime": "nan"})], "format.bad_value"),
        ([entry("x", b"", pax_headers={"mtime": "1e30"})], "format.bad_value"),
        ([entry("x", b"", pax_headers={"mtime": "-1e999999"})], "format.bad_value"),
        ([entry("x", b"", pax_headers={"SCHILY.xattr.user.a\0b": "y"})], "format.bad_value"),
        ([entry("x", b"", pax_headers={"comment": "x" * (1024 * 1024)})], "limit.size"),
        ([entry("d/" * 300 + "x", b"")], "limit.depth"),
        ([entry("l", b"", type=LINK, linkname="")], "format.path"),
        ([entry("n" * 300, b"")], "storage.unpack"),
    ],
)
def test_layers_that_are_refused(root: Path, layer: Entries | bytes, code: str) -> None:
    assert refused(root, layer) == code


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (UnpackLimits(entries=2), "limit.entries"),
        (UnpackLimits(unpacked_bytes=1100), "limit.size"),
    ],
)
def test_limits_hold_over_all_layers(root: Path, limits: UnpackLimits, code: str) -> None:
    layer = [entry("a", b"x" * 500), entry("b", b"x" * 500)]
    unpack(root, layer, limits=limits)
    assert refused(root, layer, [entry("c", b"x" * 500)], limits=limits) == code


def test_folders_without_entries_count(root: Path) -> None:
    limits = UnpackLimits(entries=5)
    unpack(root, [entry("a/b/c", b""), entry("a/b/d", b""), entry("a")], limits=limits)
    assert refused(root, [entry("a/b/c", b""), entry("x/y/z", b"")], limits=limits) == "limit.entries"


def test_headers_without_end(root: Path) -> None:
    """Extended headers as large as they like must not come into memory."""
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 1 << 40
    data = header.tobuf(tarfile.GNU_FORMAT) + bytes(io.DEFAULT_BUFFER_SIZE)
    assert refused(root, data) == "limit.size"


def extended(records: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    """An extended header of ``records``, as they are."""
    header = tarfile.TarInfo("x")
    header.type, header.size = kind, len(records)
    return header.tobuf(tarfile.GNU_FORMAT) + records.ljust(-(-len(records) // 512) * 512, b"\0")


def test_what_was_looked_at_is_read() -> None:
    reader = ForwardReader(iter([b"abc", b"defg", b"hij"]))
    assert (reader.peek(4), reader.peek(1), reader.peek(0), reader.peek(5)) == (b"abcd", b"a", b"", b"abcde")
    assert (reader.tell(), reader.read(2), reader.peek(3), reader.read(6)) == (0, b"ab", b"cde", b"cdefgh")
    assert (reader.tell(), reader.peek(9), reader.read(9), reader.read(9)) == (8, b"ij", b"ij", b"")


def test_records_of_extended_headers(root: Path) -> None:
    unpack(root, extended(b"9 path=b\n13 comment==\n") + tar([entry("a", b"")]), extended(b"") + WHOLE)
    assert tree(root) == ["b", "first", "second"]


@pytest.mark.parametrize(
    "records",
    [
        pytest.param(b"11 path=b\n", id="too long"),
        pytest.param(b"8 path=b\n", id="too short"),
        pytest.param(b"2 2 2 2 2 2=\n", id="within the keyword"),
        pytest.param(b"9 path:b\n", id="no ="),
        pytest.param(b"9 path=b\nx", id="more behind"),
        pytest.param(b"5 =b\n", id="no keyword"),
        pytest.param(b"6 a=b\n" * 9000, id="too many"),
        pytest.param(b"264 comment=" + b"1" * 256 + b"\n", id="digits"),
    ],
)
def test_records_that_tarfile_would_read_in_its_own_way(root: Path, records: bytes) -> None:
    assert refused(root, extended(records) + tar([entry("a", b"")])) == "format.tar"


def test_extended_headers_of_extended_headers(root: Path) -> None:
    assert refused(root, extended(b"6 a=b\n", tarfile.XGLTYPE) * 900 + WHOLE) == "format.tar"


def test_global_headers_do_not_come_together_without_end(root: Path) -> None:
    def one(number: int) -> bytes:
        record = b"%d=" % (1000 + number) + b"x" * 9000 + b"\n"
        return extended(b"9011 " + record, tarfile.XGLTYPE) + tar([entry(f"f{number}", b"")])[:512]

    unpack(root, b"".join(one(number) for number in range(7)))
    assert refused(root, b"".join(one(number) for number in range(8))) == "limit.size"
