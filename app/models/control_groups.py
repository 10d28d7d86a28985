"""The control groups around this process: what a container may take of the machine. Linux alone has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Group:
    """Where its limits are read; ``old`` is version 1, whose files have other names."""

    folder: Path
    old: bool


def around(
    controller: str, groups: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> Iterator[Group]:
    """Those that ``controller`` (``memory``, ``cpu``) may be limited in, the innermost first."""
    try:
        lines = groups.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, kinds, path = line.split(":", 2)
        old = controller in kinds.split(",")
        if not old and kinds:
            continue
        top = root / controller if old else root
        inner = top / path.strip("/")
        for folder in (inner, *inner.parents):
            yield Group(folder, old)
            if folder == top:
                break
