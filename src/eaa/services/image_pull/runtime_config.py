"""``config.json`` of the bundle [OCI-RUNTIME config], of the image's configuration [OCI-IMAGE conversion]."""

from __future__ import annotations

from typing import Any

from eaa.services.image_pull.image_config import ImageConfig
from eaa.services.image_pull.users import ProcessUser

__all__ = ["runtime_config"]

#: What containerd and Docker give: enough for packages' own scripts, nothing over the machine.
_CAPABILITIES = [
    "CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID",
    "CAP_SYS_CHROOT",
]  # fmt: skip
#: As ``runc spec`` has them.
_MASKED = [
    "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
    "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
]  # fmt: skip
_READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
_NO_SUID_DEV = ["nosuid", "nodev"]
_MOUNTS: list[dict[str, Any]] = [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {
        "destination": "/dev", "type": "tmpfs", "source": "tmpfs",
        "options": ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
        "destination": "/dev/pts", "type": "devpts", "source": "devpts",
        "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    {
        "destination": "/dev/shm", "type": "tmpfs", "source": "shm",  # noqa: S108 - in the container
        "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
    },
    {
        "destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
        "options": ["nosuid", "noexec", "nodev"],
    },
    {
        "destination": "/sys", "type": "sysfs", "source": "sysfs",
        "options": ["nosuid", "noexec", "nodev", "ro"],
    },
]  # fmt: skip
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LABEL = "org.opencontainers.image"


def runtime_config(
    image: ImageConfig, user: ProcessUser, *, rootless: tuple[int, int] | None
) -> dict[str, Any]:
    """The configuration, with ``rootfs`` beside it.

    The container has namespaces of its own, of the network too, which has only a loopback.

    Args:
        rootless: user and group of who runs it without being root; it becomes root inside.
    """
    linux: dict[str, Any] = {
        "resources": {"devices": [{"allow": False, "access": "rwm"}]},
        "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")],
        "maskedPaths": _MASKED,
        "readonlyPaths": _READ_ONLY,
    }
    mounts = _MOUNTS + [_volume(path) for path in sorted(image.volumes)]
    if rootless is not None:
        linux["namespaces"].append({"type": "user"})
        linux["uidMappings"] = [{"containerID": 0, "hostID": rootless[0], "size": 1}]
        linux["gidMappings"] = [{"containerID": 0, "hostID": rootless[1], "size": 1}]
        del linux["resources"]
        mounts = [_without_gid(mount) for mount in mounts]
    return {
        "ociVersion": "1.0.2",
        "process": _process(image, user),
        "root": {"path": "rootfs", "readonly": False},
        "hostname": "eaa",
        "mounts": mounts,
        "annotations": _annotations(image),
        "linux": linux,
    }


def _process(image: ImageConfig, user: ProcessUser) -> dict[str, Any]:
    env = list(image.env)
    names = {entry.partition("=")[0] for entry in env}
    env += [] if "PATH" in names else [_PATH]
    env += [] if "HOME" in names else [f"HOME={user.home}"]
    return {
        "terminal": False,
        "user": {"uid": user.uid, "gid": user.gid, "additionalGids": list(user.groups)},
        "args": [*image.entrypoint, *image.cmd] or ["/bin/sh"],
        "env": env,
        "cwd": image.working_dir or "/",
        "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), _CAPABILITIES),
        "noNewPrivileges": False,
    }


def _volume(path: str) -> dict[str, Any]:
    options = [*_NO_SUID_DEV, "mode=0777"]
    return {"destination": path, "type": "tmpfs", "source": "tmpfs", "options": options}


def _without_gid(mount: dict[str, Any]) -> dict[str, Any]:
    """The group 5 is not there in a user namespace of one."""
    options = [option for option in mount.get("options", ()) if not option.startswith("gid=")]
    return {**mount, "options": options} if "options" in mount else mount


def _annotations(image: ImageConfig) -> dict[str, str]:
    signal = {f"{_LABEL}.stopSignal": image.stop_signal} if image.stop_signal else {}
    return {**signal, **(image.labels or {})}
