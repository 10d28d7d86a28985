"""Which of the routes that may be asked is asked: one policy, one class. A policy is asked from one thread alone."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

from app.config_llm import PolicyName


@dataclass(frozen=True)
class Load:
    """A route as a policy sees it: ``ttft`` in seconds where it is known, ``share`` of its weight in slow start."""

    name: str
    weight: float
    in_flight: int
    ttft: float | None
    share: float = 1.0

    @property
    def capacity(self) -> float:
        """What it is to bear now, beside the others."""
        return self.weight * self.share


class Policy(Protocol):
    """A way to choose."""

    def pick(self, routes: Sequence[Load], key: str) -> Load:
        """One of ``routes``, which are at least one; ``key`` names the conversation."""
        ...


class InOrder:
    """The first of them: the default route, as long as it can answer."""

    def pick(self, routes: Sequence[Load], key: str) -> Load:
        return routes[0]


class RoundRobin:
    """In turn, by weight and without bursts (smooth weighted round robin, as in nginx)."""

    def __init__(self) -> None:
        self._credit: dict[str, float] = {}

    def pick(self, routes: Sequence[Load], key: str) -> Load:
        for route in routes:
            self._credit[route.name] = self._credit.get(route.name, 0.0) + route.capacity
        chosen = max(routes, key=lambda route: self._credit[route.name])
        self._credit[chosen.name] -= sum(route.capacity for route in routes)
        return chosen


class LeastBusy:
    """The fewest answers under way for its weight; among equals by lot."""

    def pick(self, routes: Sequence[Load], key: str) -> Load:
        return min(routes, key=lambda route: ((route.in_flight + 1) / route.capacity, random.random()))


_CHOICES = 3


class LeastLatency:
    """Of three by lot the one with the smallest (time to first token) × (answers under way + 1).

    The best of many would be everybody's choice at once, in other processes too, and then the worst; of two by lot, a
    slow one of three would be looked at beside a single other one too often.
    Source: M. Mitzenmacher, The Power of Two Choices in Randomized Load Balancing (2001).
    """

    def pick(self, routes: Sequence[Load], key: str) -> Load:
        known = [route.ttft for route in routes if route.ttft is not None]
        usual = median(known) if known else 1.0

        def score(route: Load) -> float:
            ttft = usual if route.ttft is None else route.ttft
            return max(ttft, 0.001) * (route.in_flight + 1) / route.capacity

        drawn = routes if len(routes) <= _CHOICES else random.sample(routes, _CHOICES)
        return min(drawn, key=lambda route: (score(route), random.random()))


class Affinity:
    """A conversation stays with the route that has its beginning in the cache, unless that has too much to do.

    Rendezvous hashing (D. Thaler and C. Ravishankar, 1998): when a route leaves, only its own conversations move.
    Bounded load (V. Mirrokni and others, 2018): past 1.25 × the average and one more, the next in the same order.
    """

    def pick(self, routes: Sequence[Load], key: str) -> Load:
        ranked = sorted(routes, key=lambda route: self._rank(route, key), reverse=True)
        capacity = sum(route.capacity for route in routes)
        total = sum(route.in_flight for route in routes) + 1
        for route in ranked:
            if route.in_flight < math.ceil(1.25 * total * route.capacity / capacity) + 1:
                return route
        return ranked[0]

    @staticmethod
    def _rank(route: Load, key: str) -> float:
        digest = hashlib.blake2b(f"{key}\0{route.name}".encode(errors="replace"), digest_size=8).digest()
        drawn = ((int.from_bytes(digest, "big") >> 12) + 0.5) / 2**52
        return -route.weight / math.log(drawn)  # weighted rendezvous hashing (J. Resch, 2015)


_POLICIES: dict[PolicyName, type[Policy]] = {
    "round_robin": RoundRobin,
    "least_latency": LeastLatency,
    "least_busy": LeastBusy,
    "affinity": Affinity,
}


def policy(name: PolicyName | None, *, default_route: bool) -> Policy:
    """The policy called ``name``; without a name the default route before the others, where one is named."""
    if name is None:
        return InOrder() if default_route else LeastLatency()
    return _POLICIES[name]()
