"""The machine, and the CPUs, files and memory of a process."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import sys
from pathlib import Path

__all__ = ["allow_many_files", "cpus", "describe", "memory", "peak_memory", "pin"]

STATUS = Path("/proc/self/status")
PACKAGES = (
    "cometgem",
    "aiohttp",
    "anyio",
    "msgspec",
    "google-genai",
    "httpx",
    "httpx-sse",
    "openai",
    "uvloop",
)


def allow_many_files() -> None:
    """Raise the limit of open files, and so of sockets, to the maximum."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def cpus() -> tuple[int, int] | None:
    """Return a CPU for the server and one for the client, or None if they cannot be chosen."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    allowed = sorted(os.sched_getaffinity(0))
    return (allowed[0], allowed[1]) if len(allowed) > 1 else None


def pin(process: int, cpu: int | None) -> None:
    """Keep a process on one CPU."""
    if cpu is not None:
        os.sched_setaffinity(process, {cpu})


def memory() -> int:
    """Return the memory of this process in bytes, or its peak if the current size is unknown."""
    return _status("VmRSS") or peak_memory()


def peak_memory() -> int:
    """Return the peak memory of this process in bytes.

    Not ``ru_maxrss``, if avoidable: it is inherited from the parent on fork.
    """
    unit = 1 if sys.platform == "darwin" else 1024
    return _status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _status(name: str) -> int | None:
    if not STATUS.exists():
        return None
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def describe() -> dict[str, str]:
    """Return the machine and the versions of the packages."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu_model(),
        "cpus": str(os.cpu_count()),
        **versions,
    }


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
