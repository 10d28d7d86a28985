"""Downloads and updates that are killed at any moment: nothing whole comes twice, and no two states are mixed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import pytest

from app.config import ROOT
from app.errors import ModelMissing, ModelUnusable, SourceUnavailable
from app.models import find
from app.models.folder import NOTES
from tests.models import parts
from tests.models.customer import Customer, at, contents, offered
from tests.models.customer import customer as customer
from tests.models.faults import ALWAYS, Fault
from tests.models.hub_server import HubServer, Repo
from tests.models.hub_server import hub_online as hub_online

W = "model.safetensors"
MB = 1_000_000
FILES = offered()
# Forks a child for each fetch, which begins at once: the imports are done.
NURSERY = """
import os, sys
import filelock, huggingface_hub.hf_api
from app.config import load_settings
from app.models import FetchRequest, fetch
from app.models.sources import hub
url, shelf = sys.argv[1:]
settings = load_settings(hf_endpoint=url, models_dir=shelf)
print("ready", flush=True)
for _ in sys.stdin:
    child = os.fork()
    if not child:
        fetch(FetchRequest("org/model"), settings)
        os._exit(0)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""


@pytest.fixture
def hub(hub_online: None, customer: Customer) -> Iterator[HubServer]:
    with HubServer({"org/model": Repo(FILES)}) as server:
        at(customer, server.url)
        yield server


@contextmanager
def nursery(hub: HubServer, shelf: Path) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "HF_HUB_OFFLINE": "0"}
    command = [sys.executable, "-c", NURSERY, hub.url, str(shelf)]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin and process.stdout and process.stdout.readline() == "ready\n"
        yield process
        process.stdin.close()


def kill_at(hub: HubServer, process: subprocess.Popen[str], count: int) -> None:
    """Fetch, and kill that when ``count`` more bytes were sent."""
    assert process.stdin and process.stdout
    end = hub.bytes_sent() + count
    process.stdin.write("\n")
    process.stdin.flush()
    child = int(process.stdout.readline())
    hub.wait_for(lambda: hub.bytes_sent() >= end)
    os.kill(child, signal.SIGKILL)
    assert int(process.stdout.readline()) == signal.SIGKILL


def break_off(hub: HubServer) -> None:
    """Half of the weights come, and then never a byte more."""
    hub.add(Fault(W, cut=300_000))
    hub.add(Fault(W, cut=0, times=ALWAYS))


def lost(hub: HubServer, path: str) -> list[int]:
    """How far each request for a file began before the end of the one before it."""
    asked = [request for request in hub.requests(path, method="GET") if request.size]
    return [before.start + before.sent - after.start for before, after in pairwise(asked)]


# Killed


@pytest.mark.parametrize(
    ("kills", "step"), [(20, 2 * MB), pytest.param(200, MB // 4 * 5, marks=pytest.mark.soak)], ids=["20", "200"]
)
def test_a_download_killed_again_and_again_fetches_nothing_whole_twice(
    hub: HubServer, customer: Customer, kills: int, step: int
) -> None:
    sizes = [kills * step * share // 100 for share in (55, 25, 15, 10)]
    shards = {f"model-{number:05d}-of-00004.safetensors": size for number, size in enumerate(sizes, 1)}
    weights = {name: offered(size, seed=size)[W] for name, size in shards.items()}
    index = json.dumps({"weight_map": {name: name for name in shards}}).encode()
    files = offered(changes={W: None, "model.safetensors.index.json": index, **weights})
    hub.repos["org/model"] = Repo(files)
    hub.add(Fault("*.safetensors", slow=20 * MB, times=ALWAYS))
    folder = customer.shelf / "org" / "model"
    whole: set[str] = set()
    with nursery(hub, customer.shelf) as process:
        for _ in range(kills):
            begun = len(hub.log)
            kill_at(hub, process, step)
            assert not {request.file for request in hub.log[begun:] if request.sent} & whole
            whole = set(contents(folder))
            assert all(files[path] == data for path, data in contents(folder).items())
    hub.clear()

    done = customer.fetch()

    assert contents(done.folder) == files
    assert max(gone for path in weights for gone in lost(hub, path)) < MB
    assert hub.bytes_sent() < sum(map(len, files.values())) + kills * MB
    assert find("org/model", shelf=customer.shelf) == folder
    assert [path.name for path in (folder / NOTES).iterdir() if path.name != "lock"] == ["manifest.json"]


def test_a_part_that_a_kill_left_ahead_of_its_end_or_longer_is_not_believed(hub: HubServer, customer: Customer) -> None:
    break_off(hub)
    customer.refused(SourceUnavailable)
    hub.clear()
    [part] = [path for path in customer.shelf.rglob("*.part") if path.stat().st_size]
    for wrong in (FILES[W][:1000] + b"?" * 299_000, FILES[W] + b"?", b"?" * len(FILES[W])):
        part.write_bytes(wrong)
        assert contents(customer.fetch().folder) == FILES
        shutil.rmtree(customer.shelf)
        part.parent.mkdir(parents=True)


# An update

NEW = offered(changes={"config.json": FILES["config.json"] + b"\n", "README.md": None, "note.txt": b"new"}, seed=1)


def test_an_update_brings_what_changed_and_takes_what_is_gone(hub: HubServer, customer: Customer) -> None:
    customer.fetch()
    before = len(hub.log)
    (customer.shelf / "org/model/my own.txt").write_text("kept")
    hub.repos["org/model"].push(NEW)

    done = customer.fetch()

    assert contents(done.folder) == {**NEW, "my own.txt": b"kept"}
    fetched = {request.file for request in hub.log[before:] if request.size is not None and request.sent}
    assert fetched == {"config.json", W, "note.txt"}
    assert done.came == sum(len(NEW[path]) for path in fetched)
    assert customer.fetch().came == 0


def test_the_old_state_answers_until_the_new_one_is_whole(hub: HubServer, customer: Customer) -> None:
    folder = customer.fetch().folder
    hub.repos["org/model"].push(NEW)
    hub.add(Fault(W, slow=2 * MB, times=ALWAYS))
    with nursery(hub, customer.shelf) as process:
        for _ in range(4):
            kill_at(hub, process, 100_000)
            assert find("org/model", shelf=customer.shelf) == folder
            assert contents(folder) == FILES
    hub.clear()
    customer.fetch()
    assert contents(folder) == NEW
    assert max(lost(hub, W)[1:]) < 300_000


@pytest.mark.parametrize("moment", range(1, 8))
def test_a_stop_while_the_new_state_takes_its_place_is_made_good(
    hub: HubServer, customer: Customer, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """Every replacement is one moment; what comes after it is as if the process had been killed."""
    folder = customer.fetch().folder
    hub.repos["org/model"].push(NEW)
    break_off(hub)
    customer.refused(SourceUnavailable)  # all but the weights wait beside the old state
    hub.clear()
    replace, count = os.replace, [0]

    def stop(source: str, target: str) -> None:
        count[0] += 1
        if count[0] == moment:
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", stop)
        with suppress(KeyboardInterrupt):
            customer.fetch()
    sent = hub.bytes_sent()
    newest = offered(changes={"note.txt": b"newest"}) if moment % 2 else NEW
    hub.repos["org/model"].push(newest)

    assert contents(customer.fetch().folder) == newest
    if newest is NEW and moment > 1:
        assert hub.bytes_sent() == sent
    assert find("org/model", shelf=customer.shelf) == folder


def test_what_waits_from_a_state_in_between_is_not_mixed_in(hub: HubServer, customer: Customer) -> None:
    customer.fetch()
    hub.repos["org/model"].push(NEW)
    break_off(hub)
    customer.refused(SourceUnavailable)
    hub.clear()
    back = {**FILES, "note.txt": b"newest"}  # the changed config.json is as it was
    hub.repos["org/model"].push(back)
    assert contents(customer.fetch().folder) == back


@pytest.mark.parametrize(("old", "new"), [("a", "a/b"), ("a/b", "a"), ("a/b/c", "a/b")])
def test_a_file_becomes_a_folder_and_the_other_way(hub: HubServer, customer: Customer, old: str, new: str) -> None:
    before, after = ({**FILES, path: b"text"} for path in (old, new))
    hub.repos["org/model"] = Repo(before)
    customer.fetch()
    hub.repos["org/model"].push(after)
    assert contents(customer.fetch().folder) == after


def test_an_index_in_a_folder_is_judged_as_it_is_now(hub: HubServer, customer: Customer) -> None:
    def indexed(*names: str) -> dict[str, bytes]:
        index = json.dumps({"weight_map": dict(zip(names, names, strict=True))}).encode()
        return {**FILES, "part/model.safetensors.index.json": index, **{f"part/{name}": b"w" for name in names}}

    hub.repos["org/model"] = Repo(indexed("one.safetensors"))
    customer.fetch()
    hub.repos["org/model"].push(indexed("two.safetensors"))
    assert contents(customer.fetch().folder) == indexed("two.safetensors")


def test_some_files_more_leave_a_whole_model_whole(hub: HubServer, customer: Customer) -> None:
    customer.fetch(exclude=("README.md",))
    done = customer.fetch(include=("*.md",))
    assert (done.came, done.setting) == (len(FILES["README.md"]), "VLLM_MODEL_PATH")
    hub.repos["org/model"].push({**NEW, "config.json": FILES["config.json"]})
    customer.fetch()
    assert contents(done.folder) == {**NEW, "config.json": FILES["config.json"]}, "README.md is gone at the source"


def test_what_was_changed_here_is_mended(hub: HubServer, customer: Customer) -> None:
    folder = customer.fetch().folder
    (folder / "config.json").write_text("{}")
    (folder / W).write_bytes(FILES[W][:-1] + b"?")
    os.utime(folder / W, ns=(0, 0))
    done = customer.fetch()
    assert contents(folder) == FILES
    assert done.came == len(FILES[W]) + len(FILES["config.json"])


def test_a_new_state_that_is_no_model_leaves_the_one_that_works(hub: HubServer, customer: Customer) -> None:
    folder = customer.fetch().folder
    for broken in ({W: parts.POINTER}, {"config.json": b'{"architectures": ["BertForSequenceClassification"]}'}):
        hub.repos["org/model"].push({**offered(seed=1), **broken})

        customer.refused(ModelUnusable, kind="chat")

        assert contents(folder) == FILES
        assert find("org/model", shelf=customer.shelf) == folder
    hub.repos["org/model"].push(offered(seed=1))
    assert contents(customer.fetch().folder) == offered(seed=1)
    assert not (folder / NOTES / "whole").exists() and not (folder / NOTES / "next").exists()


def test_a_choice_of_files_does_not_pass_a_half_model_for_a_whole_one(hub: HubServer, customer: Customer) -> None:
    break_off(hub)
    customer.refused(SourceUnavailable)
    hub.clear()
    before = hub.bytes_sent(W)

    customer.fetch(include=("README.md",))

    with pytest.raises(ModelMissing, match="never fetched to its end"):
        find("org/model", shelf=customer.shelf)
    assert contents(customer.fetch().folder) == FILES
    assert hub.bytes_sent(W) - before < len(FILES[W])
