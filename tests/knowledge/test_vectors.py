"""The vector index: ids and unit vectors, in the embedded Chroma and in a server alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app.config import load_settings
from app.knowledge.vectors import VectorIndex, open_client
from tests.knowledge.chroma import ChromaProcess

DIMENSION = 16


@pytest.fixture(params=["embedded", "server"])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    url = request.getfixturevalue("chroma").url if request.param == "server" else ""
    client = open_client(load_settings(data_dir=tmp_path, chroma_url=url))
    yield client
    client.close()


@pytest.fixture
def index(client: Any) -> VectorIndex:
    return VectorIndex(client, "collection-1")


def unit(count: int) -> NDArray[np.float32]:
    vectors = np.random.default_rng(7).normal(size=(count, DIMENSION)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_nearest_come_first_with_their_cosine(index: VectorIndex) -> None:
    vectors = unit(50)
    index.add(range(100, 150), vectors)

    found = index.search(vectors[7], 10)

    exact = vectors @ vectors[7]
    best = np.argsort(-exact)[:10]
    assert [item for item, _ in found] == [100 + int(place) for place in best]
    assert [score for _, score in found] == pytest.approx(exact[best].tolist(), abs=1e-5)


def test_opposite_vectors_have_similarity_minus_one(index: VectorIndex) -> None:
    vector = unit(1)
    index.add([1, 2], np.concatenate([vector, -vector]))

    assert index.search(vector[0], 2) == [(1, pytest.approx(1, abs=1e-5)), (2, pytest.approx(-1, abs=1e-5))]


def test_more_than_one_batch_goes_in_and_out(index: VectorIndex) -> None:
    vectors = unit(4500)
    index.add(range(4500), vectors)

    assert len(index.search(vectors[0], 4500)) == 4500
    index.remove(range(4490))
    assert {item for item, _ in index.search(vectors[0], 60)} == set(range(4490, 4500))


def test_adding_an_id_again_moves_it(index: VectorIndex) -> None:
    vectors = unit(2)
    index.add([1], vectors[:1])
    index.add([1], vectors[1:])

    assert index.search(vectors[1], 5) == [(1, pytest.approx(1, abs=1e-5))]


def test_unknown_ids_and_nothing_at_all_are_removed_quietly(index: VectorIndex) -> None:
    index.add([1], unit(1))

    index.remove([2, 3])
    index.remove([])

    assert [item for item, _ in index.search(unit(1)[0], 5)] == [1]


def test_an_empty_index_finds_nothing(index: VectorIndex) -> None:
    assert index.search(unit(1)[0], 5) == []


def test_collections_do_not_see_each_other(client: Any) -> None:
    one, other = VectorIndex(client, "collection-1"), VectorIndex(client, "collection-2")
    one.add([1], unit(1))

    assert other.search(unit(1)[0], 5) == []
    one.destroy()
    assert VectorIndex(client, "collection-1").search(unit(1)[0], 5) == []


def test_a_destroyed_index_is_empty_and_can_be_filled_again(index: VectorIndex) -> None:
    index.add([1, 2], unit(2))
    assert index.count() == 2

    index.destroy()
    assert index.count() == 0

    index.add([3], unit(1))
    assert [item for item, _ in index.search(unit(1)[0], 5)] == [3]


def test_nothing_but_ids_and_vectors_is_stored(index: VectorIndex, client: Any, chroma: ChromaProcess) -> None:
    index.add([1], unit(1))

    with index._chroma() as opened:
        stored = opened.get(include=["documents", "metadatas"]) if index.place == "" else None
    if stored is None:
        [stored] = [found for name, found in chroma.collections().items() if name.startswith(client._prefix)]

    assert (stored["ids"], stored["documents"], stored["metadatas"]) == (["1"], [None], [None])
