"""What is computed before deployment, compared with the event logs and quotes of TDs that ran."""

from __future__ import annotations

import pytest

from eaa.errors import BindingError
from eaa.evidence.dcap_quote import parse_quote
from eaa.evidence.event_decode import decode_event
from eaa.evidence.event_hash import HashAlgorithm
from eaa.evidence.event_log import EventLog, parse_event_log
from eaa.evidence.event_payload import LoadedImage
from eaa.evidence.event_type import EventType
from eaa.evidence.measured_pe import pe_image_digest
from eaa.evidence.measured_td_boot import SeparatorRegister, boot_events, extend_all
from eaa.evidence.measured_td_build import PageOrder, measure_td
from eaa.evidence.measured_td_config import ACPI_FILES, configuration_events
from eaa.evidence.measured_td_log import read_golden_log, require_quoted
from eaa.evidence.measured_tdvf import SectionType, TdFirmware, TdvfSection, parse_td_firmware
from eaa.evidence.tdx import TdReport
from tests.vectors.manifest import VECTORS, needs_vectors

pytestmark = needs_vectors
SHA384 = HashAlgorithm.SHA384
BOOT = VECTORS / "measured-boot"

#: The memory that OVMF declares: in 2022.11 to 2024.02, and in 2025.02.
OLDER = ((0x810000, 0x10000), (0x80B000, 0x2000), (0x800000, 0x6000))
NEWER = ((0x811000, 0xF000), *OLDER[1:])
RTMR0, RTMR1 = SeparatorRegister.RTMR0, SeparatorRegister.RTMR1
#: Log, declared memory, MiB, where the separator goes, what the variable SecureBoot says.
BOOTS = [
    ("lunal-live-tdreport-ccel/tdx_ccel_live.bin", NEWER, 2048, RTMR1, b""),
    ("lunal-live-tdreport-ccel/tdx_ccel_live2.dat", NEWER, 2048, RTMR1, b""),
    ("dcap-qvl-quote-from-tappd-32f07013/ccel-08e8363d.bin", NEWER, 1024, RTMR1, b""),
    ("trustee-ccel_data_ovmf/ccel_data_ovmf", OLDER, 2048, RTMR0, b""),
    ("trustauthority-client-for-go-ccel.data/ccel.data.bin", OLDER, 8192, RTMR0, b"\0"),
]


def load(path: str) -> EventLog:
    return parse_event_log((VECTORS / "tdx" / path).read_bytes())


def firmware(memory: tuple[tuple[int, int], ...]) -> TdFirmware:
    temporary = [TdvfSection(SectionType.TEMP_MEM, at, size, b"", False, True) for at, size in memory]
    block = TdvfSection(SectionType.TD_HOB, 0x809000, 0x2000, b"", False, True)
    store = TdvfSection(SectionType.CFV, 0xFFC00000, 0x1000, bytes(0x1000), False, True)
    return TdFirmware((store, *temporary, block))


@pytest.mark.parametrize(("path", "memory", "mib", "separator", "secure_boot"), BOOTS, ids=lambda item: None)
def test_every_event_of_rtmr0_and_all_of_rtmr1(
    path: str, memory: tuple[tuple[int, int], ...], mib: int, separator: SeparatorRegister, secure_boot: bytes
) -> None:
    log = load(path)
    logged = [event.digest(SHA384) for event in log.events if event.register == 1]
    acpi = [
        event.digest(SHA384) for event in log.events if event.event_type == EventType.EV_PLATFORM_CONFIG_FLAGS
    ]
    events = configuration_events(
        firmware(memory),
        memory_mib=mib,
        variables={"SecureBoot": secure_boot} if secure_boot else {},
        acpi=dict(zip(ACPI_FILES, acpi, strict=True)),
        separator=separator,
    )
    computed = [event.digest for event in events]
    # The image's variable store is not in the log, and is compared below.
    assert computed[:1] + computed[2:] == logged[:1] + logged[2:]
    golden = read_golden_log(log)
    assert golden.kernel is not None
    assert extend_all(boot_events(golden.kernel, separator)) == golden.rtmrs[1]
    other = RTMR0 if separator is RTMR1 else RTMR1
    assert extend_all(boot_events(golden.kernel, other)) != golden.rtmrs[1]


def test_a_golden_log_and_the_quote_of_its_boot() -> None:
    folder = VECTORS / "tdx" / "attestation-rs-tdx_quote_live-3ab56d67"
    report = parse_quote((folder / "quote.bin").read_bytes()).body
    assert isinstance(report, TdReport)
    log = parse_event_log((folder / "ccel-8515c152.bin").read_bytes())
    require_quoted(log, report.rt_mrs)
    golden = read_golden_log(log)
    assert (golden.rtmrs[0], golden.rtmrs[1], golden.rtmrs[2]) == report.rt_mrs[:3]
    assert golden.kernel is not None
    assert golden.load_options is not None
    with pytest.raises(BindingError, match="RTMR2"):
        require_quoted(parse_event_log((folder / "ccel-f1aa1f7d.bin").read_bytes()), report.rt_mrs)


def test_a_log_of_grub_names_no_kernel_of_qemu() -> None:
    golden = read_golden_log(load("trustee-ccel_data_grub/ccel_data_grub"))
    assert golden.kernel is None
    assert golden.load_options is not None


needs_images = pytest.mark.skipif(not BOOT.is_dir(), reason="there is no folder of published boot images")


@needs_images
def test_mrtd_of_a_published_firmware() -> None:
    """OVMF.fd of Ubuntu's ovmf 2025.02-3ubuntu2; what the tests of virtee/tdx-measure expect of it."""
    found = parse_td_firmware((BOOT / "ubuntu-ovmf-2025.02-3ubuntu2.fd").read_bytes())
    assert measure_td(found, PageOrder.EACH_PAGE).hex() == (
        "7357a10d2e2724dffe68813e3cc4cfcde6814d749f2fb62e3953e54f6e0b50a219786afe2cd478f684b52c61837e1114"
    )
    (store,) = found.of(SectionType.CFV)
    logged = [event for event in load(BOOTS[0][0]).events if event.register == 1][1]
    assert SHA384.hash(store.data) == logged.digest(SHA384)


@needs_images
@pytest.mark.parametrize("name", ["ubuntu-shim-15.8-fbx64.efi", "ubuntu-shim-15.8-shimx64.efi"])
def test_published_boot_loaders_have_the_digests_that_a_td_logged(name: str) -> None:
    log = load("trustee-ccel_data_grub/ccel_data_grub")
    logged = {event.digest(SHA384) for event in log.events if isinstance(decode_event(event), LoadedImage)}
    assert pe_image_digest((BOOT / name).read_bytes(), SHA384) in logged
