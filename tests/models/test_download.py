"""Full disks, company, cancelling, progress, and where a model goes."""

from __future__ import annotations

import errno
import os
import resource
import shutil
from collections import namedtuple
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.errors import DiskFull, DownloadError, UsageError
from app.schema import Progress
from tests.models.customer import Customer, at, contents, offered
from tests.models.customer import customer as customer
from tests.models.faults import Fault
from tests.models.hub_server import HubServer, Repo
from tests.models.hub_server import hub_online as hub_online

W = "model.safetensors"
MB = 1_000_000
FILES = offered()
OTHER = offered(seed=1)


@pytest.fixture
def hub(hub_online: None, customer: Customer) -> Iterator[HubServer]:
    with HubServer({"org/model": Repo(FILES)}) as server:
        at(customer, server.url)
        yield server


# The disk


def test_too_small_a_disk_is_told_before_a_byte_is_fetched(
    hub: HubServer, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 1000, 1000))
    assert "needs 0.0 GB more" in customer.refused(DiskFull).message
    assert (hub.bytes_sent(), list(customer.shelf.glob("*/*"))) == (0, [])
    monkeypatch.undo()


def test_a_disk_that_fills_up_keeps_what_came(hub: HubServer, customer: Customer) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, limits[1]))
    try:
        assert "cannot be written: File too large." in customer.refused(DiskFull).message
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    sent = hub.bytes_sent(W)
    assert contents(customer.fetch().folder) == FILES
    assert hub.bytes_sent(W) - sent <= len(FILES[W]) - 300_000


@pytest.mark.parametrize("call", ["mkdir", "replace", "write_text"])
def test_a_folder_that_is_not_ours_is_told(
    hub: HubServer, customer: Customer, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as patch:
        patch.setattr(os if call == "replace" else Path, call, refuse)
        error = customer.refused(DiskFull)
    assert "cannot be written: Permission denied." in error.message
    assert "--to" in error.hint


def test_a_folder_below_a_file_is_told(hub: HubServer, customer: Customer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for to in (tmp_path / "file", tmp_path / "file" / "below"):
        customer.refused(DiskFull, to=to)


# Not alone


def test_two_fetches_of_one_model_at_once_are_one(hub: HubServer, customer: Customer) -> None:
    told: list[str] = []

    def look(progress: Progress) -> None:
        if not told and progress.stage == "fetching":
            told.append(customer.refused(DownloadError).message)

    done = customer.fetch(on_progress=look)
    assert told == ["org/model is being fetched already."]
    assert contents(done.folder) == FILES


def test_two_models_at_once_do_not_disturb_each_other(hub: HubServer, customer: Customer) -> None:
    hub.repos["org/other"] = Repo(OTHER)
    hub.add(Fault(W, slow=2 * MB, times=2))
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(customer.fetch, ("org/model", "org/other"))
    assert (contents(first.folder), contents(second.folder)) == (FILES, OTHER)
    assert hub.deliveries(W) == 2


@pytest.mark.parametrize("stage", ["starting", "checking", "fetching"])
def test_a_fetch_is_cancelled_at_every_stage_and_goes_on(hub: HubServer, customer: Customer, stage: str) -> None:
    def cancel(progress: Progress) -> None:
        if progress.stage == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        customer.fetch(on_progress=cancel)
    assert contents(customer.fetch().folder) == FILES
    assert hub.deliveries(W) == 1


def test_progress_never_goes_back_and_ends_at_the_whole(hub: HubServer, customer: Customer) -> None:
    seen: list[Progress] = []
    hub.add(Fault(W, slow=1 * MB))
    customer.fetch(on_progress=seen.append)
    fetching = [progress for progress in seen if progress.stage == "fetching"]
    assert [item.done for item in fetching] == sorted(item.done for item in fetching)
    assert {item.total for item in fetching} == {sum(map(len, FILES.values()))}
    assert (fetching[-1].done, fetching[-1].detail) == (fetching[-1].total, "5/5")
    assert any(item.rate for item in fetching)


# Where it goes


def test_a_folder_of_ones_own_is_used_and_named(hub: HubServer, customer: Customer, tmp_path: Path) -> None:
    done = customer.fetch(to=tmp_path / "模型 mine")
    assert (done.folder, done.value) == (tmp_path / "模型 mine", str(tmp_path / "模型 mine"))
    assert customer.fetch(to=tmp_path / "模型 mine").came == 0


def test_a_folder_with_other_things_is_left_alone(hub: HubServer, customer: Customer, tmp_path: Path) -> None:
    hub.repos["org/other"] = Repo(OTHER)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "diary.txt").write_text("dear")
    customer.refused(UsageError, to=tmp_path / "full")
    customer.fetch(to=tmp_path / "model")
    error = customer.refused(UsageError, "org/other", to=tmp_path / "model")
    assert error.message == f"{tmp_path / 'model'} holds org/model."
    assert contents(tmp_path / "model") == FILES
