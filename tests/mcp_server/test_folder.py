"""A process that stays shares the data folder with those that come and go."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.config import Settings, load_settings
from app.errors import CollectionError, ServerStopping
from app.mcp_server.folder import IDLE_SECONDS, Folder
from app.service import Service


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path / "state", ollama_base_url="http://127.0.0.1:9")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Service]]:
    """The services that were opened."""
    found: list[Service] = []
    real = Service.open

    def open_and_note(settings: Settings | None = None) -> Service:
        found.append(real(settings))
        return found[-1]

    monkeypatch.setattr(Service, "open", open_and_note)
    yield found


def test_operations_in_a_row_use_one_service(settings: Settings, opened: list[Service]) -> None:
    with closing(Folder(settings)) as folder:
        for _ in range(3):
            assert list(folder.run("collections", {})) == [{"result": {"collections": []}}]
        with pytest.raises(CollectionError):
            list(folder.run("documents", {"collection": "nope"}))

    assert len(opened) == 1
    Service.open(settings).close()  # and it was closed


def test_who_is_idle_gives_the_folder_up(settings: Settings, opened: list[Service]) -> None:
    from app import client

    assert IDLE_SECONDS < client._WAIT_FOR_FOLDER
    with closing(Folder(settings, idle_seconds=0.3)) as folder:
        list(folder.run("collections", {}))
        assert list(client.run(settings, "collections", {}))  # another command waits for it, and gets it
        list(folder.run("collections", {}))
    assert len(opened) == 3


def test_an_operation_under_way_keeps_the_folder(settings: Settings, opened: list[Service]) -> None:
    with closing(Folder(settings, idle_seconds=0.1)) as folder:
        list(folder.run("collections", {}))
        under_way = folder.run("collections", {})
        next(under_way)
        time.sleep(0.4)
        assert opened[0].collections() == []  # a closed catalog would raise
        under_way.close()  # type: ignore[attr-defined]


def test_the_closed_folder_begins_nothing(settings: Settings) -> None:
    folder = Folder(settings)
    folder.close()

    with pytest.raises(ServerStopping):
        list(folder.run("collections", {}))
