"""``verdict reference compute tdx``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from eaa.cli.verdict_reference_compute_files import FileDigest, load_image, sha384_of_file
from eaa.cli.verdict_reference_compute_output import Computed, computing
from eaa.errors import UnsupportedError
from eaa.evidence.event_hash import HashAlgorithm
from eaa.evidence.measured_linux_setup import fill_setup_header
from eaa.evidence.measured_pe import pe_image_digest
from eaa.evidence.measured_td_boot import (
    InitrdArgument,
    SeparatorRegister,
    boot_events,
    command_line_events,
    extend_all,
    load_options,
)
from eaa.evidence.measured_td_build import PageOrder, measure_td
from eaa.evidence.measured_td_config import ACPI_FILES, SECURE_BOOT_VARIABLES, configuration_events
from eaa.evidence.measured_tdvf import TdFirmware, parse_td_firmware

__all__ = ["tdx"]

_SHA384 = HashAlgorithm.SHA384
_NO_XFAM = "xfam follows from the processor: take it from a quote of the same kind of machine"
_NO_RTMR_0 = "rtmr_0 needs --firmware, --memory and the three --acpi-… files"
_NO_RTMR_2 = "rtmr_2 needs --cmdline: without it the initrd is not measured here"


@click.command()
@click.option("--firmware", metavar="FILE", help="The whole image, OVMF.fd: code and variable store.")
@click.option(
    "--page-order", type=click.Choice([item.value for item in PageOrder]), default="each-page",
    show_default=True, help="How the host adds pages; each-section is QEMU 8 with a patched KVM.",
)  # fmt: skip
@click.option("--kernel", metavar="FILE", help="The kernel that QEMU gets as -kernel.")
@click.option(
    "--setup-header", type=click.Choice(["as-built", "qemu"]), default="as-built", show_default=True,
    help="Whether QEMU fills in the kernel's setup header; qemu needs --memory.",
)  # fmt: skip
@click.option("--initrd", metavar="FILE", help="What QEMU gets as -initrd.")
@click.option("--cmdline", metavar="TEXT", help="What QEMU gets as -append.")
@click.option(
    "--initrd-argument", type=click.Choice([item.value for item in InitrdArgument]), default="last",
    show_default=True, help="Where firmware writes initrd=initrd into the command line.",
)  # fmt: skip
@click.option(
    "--separator", type=click.Choice([item.value for item in SeparatorRegister]), default="rtmr1",
    show_default=True, help="The register of the separator before booting; rtmr0 is that of older OVMF.",
)  # fmt: skip
@click.option("--memory", "memory_mib", type=click.IntRange(1), metavar="MIB", help="Of the machine.")
@click.option("--acpi-loader", metavar="FILE", help="QEMU's etc/table-loader.")
@click.option("--acpi-rsdp", metavar="FILE", help="QEMU's etc/acpi/rsdp.")
@click.option("--acpi-tables", metavar="FILE", help="QEMU's etc/acpi/tables.")
@click.option(
    "--variable", "variables", type=(click.Choice(list(SECURE_BOOT_VARIABLES)), str), multiple=True,
    metavar="NAME FILE", help="The value of a variable of Secure Boot that exists.",
)  # fmt: skip
@computing
def tdx(firmware: str | None, page_order: str, separator: str, **options: Any) -> Computed:
    """MRTD of a firmware, RTMR1 and RTMR2 of a kernel booted with QEMU's -kernel, RTMR0 of a machine.

    Each is computed if what it needs is given. Of a boot by GRUB or from a disk: verdict reference compute
    event-log.
    """
    if firmware is None and options["kernel"] is None and options["cmdline"] is None:
        raise click.UsageError("expected --firmware, --kernel or --cmdline")
    initrd = None if options["initrd"] is None else sha384_of_file(options["initrd"])
    image = None if firmware is None else parse_td_firmware(load_image(firmware))
    between, values = SeparatorRegister(separator), dict[str, Any]()
    if image is not None:
        values["mr_td"] = [measure_td(image, PageOrder(page_order)).hex()]
        values |= _configuration(image, between, options)
    if options["kernel"] is not None:
        kernel = _kernel(options, initrd)
        values["rtmr_1"] = [extend_all(boot_events(kernel, between)).hex()]
        values["tdvfkernel"] = kernel.hex()
    if options["cmdline"] is not None:
        values |= _command_line(options["cmdline"], InitrdArgument(options["initrd_argument"]), initrd)
    notes = [_NO_XFAM]
    if image is not None and "rtmr_0" not in values:
        notes.append(_NO_RTMR_0)
    if initrd is not None and "rtmr_2" not in values:
        notes.append(_NO_RTMR_2)
    return Computed(values, tuple(notes))


def _configuration(
    image: TdFirmware, separator: SeparatorRegister, options: Mapping[str, Any]
) -> dict[str, Any]:
    files = [options[name] for name in ("acpi_loader", "acpi_rsdp", "acpi_tables")]
    if None in files or options["memory_mib"] is None:
        if any(files):
            raise click.UsageError(_NO_RTMR_0)
        return {}
    events = configuration_events(
        image,
        memory_mib=options["memory_mib"],
        variables={name: load_image(file) for name, file in options["variables"]},
        acpi={name: sha384_of_file(file).sha384 for name, file in zip(ACPI_FILES, files, strict=True)},
        separator=separator,
    )
    return {"rtmr_0": [extend_all(events).hex()]}


def _kernel(options: Mapping[str, Any], initrd: FileDigest | None) -> bytes:
    image = load_image(options["kernel"])
    if options["setup_header"] == "qemu":
        if options["memory_mib"] is None:
            raise click.UsageError("--setup-header qemu needs --memory")
        if "vga=" in (options["cmdline"] or ""):
            raise UnsupportedError("--setup-header qemu with vga= in the command line", detail="vga")
        size = 0 if initrd is None else initrd.size
        image = fill_setup_header(image, memory_mib=options["memory_mib"], initrd_bytes=size)
    return pe_image_digest(image, _SHA384)


def _command_line(text: str, argument: InitrdArgument, initrd: FileDigest | None) -> dict[str, Any]:
    passed = load_options(text, initrd=initrd is not None, argument=argument)
    events = command_line_events(passed, None if initrd is None else initrd.sha384)
    return {"rtmr_2": [extend_all(events).hex()], "tdvfkernelparams": events[0].digest.hex()}
