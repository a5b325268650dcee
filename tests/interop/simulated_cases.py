"""Simulated quotes with SVNs, levels, statuses and attributes at random."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

from eaa.attester.simulated import (
    SimulatedIsvLevel,
    SimulatedPlatform,
    SimulatedSgxEnclave,
    SimulatedTcb,
    SimulatedTcbLevel,
    SimulatedTdxGuest,
    SimulatedTdxModule,
    SimulatedVendor,
)
from eaa.endorsements.tcb import ENCLAVE_STATUSES, PLATFORM_STATUSES, TcbStatus
from eaa.evidence.tdx import TdReport, TdReport15
from tests.interop.dcap_qvl_peer import Case

__all__ = ["NOW", "relaunch_case", "tcb_case", "unusual_case"]

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
#: So small that levels are met, missed and tied often.
_HIGHEST_SVN = 3


def tcb_case(seed: int) -> Case:
    """A quote of a platform at a random TCB under random levels, all else as usual."""
    random = Random(f"TCB {seed}")  # noqa: S311 - repeatable
    platform = _platform(random)
    return _case(f"TCB {seed}", _attester(random, platform))


def relaunch_case(seed: int) -> Case:
    """A TD 1.5, launched under the module that is loaded now or under another one."""
    random = Random(f"relaunch {seed}")  # noqa: S311 - repeatable
    launched = _td_svns(random)
    guest = SimulatedTdxGuest(
        _platform(random),
        quote_version=5,
        tdx15=True,
        tee_tcb_svn=launched,
        tee_tcb_svn_2=random.choice([launched, _td_svns(random), _td_svns(random)]),
    )
    return _case(f"relaunch {seed}", guest)


def unusual_case(seed: int) -> Case:
    """As :func:`tcb_case`, with one or two things that a policy or a later step could stumble over."""
    random = Random(f"unusual {seed}")  # noqa: S311 - repeatable
    platform = _platform(random)
    attester = _attester(random, platform)
    names = [_make_unusual(random, platform, attester) for _ in range(random.choice([1, 1, 2]))]
    return _case(f"unusual {seed} ({', '.join(names)})", attester)


def _case(name: str, attester: SimulatedSgxEnclave | SimulatedTdxGuest) -> Case:
    return Case(
        f"{name}: {attester.tee} v{attester.quote_version}",
        attester.collect(bytes(64)),
        attester.endorsements(),
        NOW,
        (attester.trust_anchor,),
        attester.trust_anchor.der,
    )


def _platform(random: Random) -> SimulatedPlatform:
    vendor = SimulatedVendor(now=NOW, unsafe_seed=b"differential")
    for identity in vendor.identities.values():
        identity.levels = _isv_levels(random, vendor)
    platform = SimulatedPlatform(vendor, ca=random.choice(["platform", "processor"]))
    for enclave in (platform.qe, platform.td_qe):
        enclave.isv_svn = random.randint(0, _HIGHEST_SVN + 1)
    # dcap-qvl compares levels with CPUSVN, Intel's library with the components: they are the same here.
    components = _svns(random, 2)
    platform.pck.tcb = SimulatedTcb(
        cpu_svn=components, sgx_components=components, pce_svn=random.randint(1, _HIGHEST_SVN)
    )
    for info in platform.tcb_info.values():
        info.levels = [_level(random, vendor) for _ in range(random.randint(2, 7))]
        info.tdx_module_identities = [
            SimulatedTdxModule(id=identifier, levels=_isv_levels(random, vendor))
            for identifier in random.sample(["TDX_01", "TDX_02", "TDX_03"], random.choice([2, 3, 3]))
        ]
    return platform


def _attester(random: Random, platform: SimulatedPlatform) -> SimulatedSgxEnclave | SimulatedTdxGuest:
    if random.random() < 0.3:
        return SimulatedSgxEnclave(platform)
    return SimulatedTdxGuest(platform, quote_version=random.choice([4, 5]), tee_tcb_svn=_td_svns(random))


def _level(random: Random, vendor: SimulatedVendor) -> SimulatedTcbLevel:
    return SimulatedTcbLevel(
        sgx_components=_svns(random, 0),
        pce_svn=random.randint(0, 2),
        tdx_components=_svns(random, 0),
        tcb_date=vendor.day(random.randint(0, 999)),
        status=random.choice([TcbStatus.UP_TO_DATE, TcbStatus.OUT_OF_DATE, *PLATFORM_STATUSES.values()]),
        advisory_ids=_advisories(random),
    )


def _isv_levels(random: Random, vendor: SimulatedVendor) -> list[SimulatedIsvLevel]:
    """Highest first, as Intel publishes them."""
    svns = sorted(random.sample(range(_HIGHEST_SVN + 1), random.randint(1, 3)), reverse=True)
    svns[-1] = random.choice([0, 0, svns[-1]])
    statuses = [TcbStatus.UP_TO_DATE] * 3 + [TcbStatus.OUT_OF_DATE] * 2 + list(ENCLAVE_STATUSES.values())
    return [
        SimulatedIsvLevel(
            isv_svn=svn,
            tcb_date=vendor.day(random.randint(0, 999)),
            status=random.choice(statuses),
            advisory_ids=_advisories(random),
        )
        for svn in svns
    ]


def _svns(random: Random, least: int) -> bytes:
    return bytes(random.randint(least, _HIGHEST_SVN) for _ in range(2)) + bytes(14)


def _td_svns(random: Random) -> bytes:
    """Module ISVSVN, module version, microcode SVN."""
    return bytes((random.randint(0, 3), random.choice([0, 1, 1, 2, 2, 3]), random.randint(0, 3))) + bytes(13)


def _advisories(random: Random) -> list[str]:
    return [f"EAA-SIMULATED-SA-{n:05d}" for n in sorted(random.sample(range(5), random.randint(0, 2)))]


def _make_unusual(
    random: Random, platform: SimulatedPlatform, attester: SimulatedSgxEnclave | SimulatedTdxGuest
) -> str:
    vendor, tee = platform.vendor, attester.tee
    names = [
        "authentication data",
        "FMSPC",
        "PCEID",
        "PCK revoked",
        "PCK CA revoked",
        "TCB signing revoked",
        "MRSIGNER",
    ]
    names += (
        ["quote version", "debug", "TCB info 2"] if tee == "sgx" else ["TD ATTRIBUTES", "SEAM", "MRSERVICETD"]
    )
    name = random.choice(names)
    enclave = platform.quoting_enclave(tee)
    match name:
        case "authentication data":
            enclave.authentication_data = random.randbytes(random.choice([0, 31, 33, 64]))
        case "FMSPC":
            platform.tcb_info[tee].fmspc = b"OTHER6"
        case "PCEID":
            platform.tcb_info[tee].pce_id = b"\x01\x00"
        case "PCK revoked":
            vendor.revoke(platform.pck)
        case "PCK CA revoked":
            vendor.revoke(platform.ca)
        case "TCB signing revoked":
            vendor.revoke(vendor.tcb_signing)
        case "MRSIGNER":
            enclave.mr_signer = bytes(32)
        case "TCB info 2":
            platform.tcb_info["sgx"].version = 2
        case "quote version":
            attester.quote_version = random.choice([4, 5])
        case _:
            _change_report(random, name, attester)
    return name


def _change_report(random: Random, name: str, attester: SimulatedSgxEnclave | SimulatedTdxGuest) -> None:
    if isinstance(attester, SimulatedSgxEnclave):
        attester.report = attester.report.replace(attributes=b"\x07" + bytes(15))
    elif name == "TD ATTRIBUTES":
        bits = 1 << 28 ^ 1 << random.choice([0, 1, 4, 5, 6, 8, 24, 27, 28, 29, 30, 31, 32, 62, 63])
        attester.report = attester.report.replace(td_attributes=bits.to_bytes(8, "little"))
    elif name == "SEAM":
        field, size = random.choice([("mr_signer_seam", 48), ("seam_attributes", 8)])
        attester.report = attester.report.replace(**{field: random.randbytes(size)})
    elif not isinstance(attester.report, TdReport15):
        attester.quote_version = 5
        fields = {**_fields(attester.report), "mr_service_td": random.randbytes(48)}
        attester.report = TdReport15.build(tee_tcb_svn_2=attester.report.tee_tcb_svn, **fields)


def _fields(report: TdReport) -> dict[str, bytes | int]:
    return {name: getattr(report, name) for name in report.layout()}
