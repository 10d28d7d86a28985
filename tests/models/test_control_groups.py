from __future__ import annotations

from pathlib import Path

import pytest

from app.models.control_groups import Group, around

OLDER = "12:cpu,cpuacct:/docker/abc\n3:memory:/docker/abc\n2:cpuset:/\n1:name=systemd:/\n0::/\n"


@pytest.mark.parametrize(
    ("groups", "controller", "found"),
    [
        ("0::/a/b\n", "cpu", [("a/b", False), ("a", False), (".", False)]),
        ("0::/\n", "memory", [(".", False)]),
        (OLDER, "cpu", [("cpu/docker/abc", True), ("cpu/docker", True), ("cpu", True), (".", False)]),
        (OLDER, "blkio", [(".", False)]),
        ("", "cpu", []),
    ],
)
def test_the_groups_around_a_process_come_innermost_first(
    tmp_path: Path, groups: str, controller: str, found: list[tuple[str, bool]]
) -> None:
    (tmp_path / "cgroup").write_text(groups)
    root = tmp_path / "fs"

    assert list(around(controller, tmp_path / "cgroup", root)) == [Group(root / name, old) for name, old in found]


def test_a_system_without_control_groups_has_none(tmp_path: Path) -> None:
    assert list(around("cpu", tmp_path / "none", tmp_path)) == []
