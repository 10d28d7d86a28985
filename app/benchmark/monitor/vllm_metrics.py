"""What vLLM counts of itself, read from a server's /metrics or from this process.

Names differ between versions of vLLM; the first of each that is there holds. Source: vLLM's documentation, Production
Metrics, and vllm/v1/metrics/loggers.py of 0.32; the second names are those of 0.6 to 0.9.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

import httpx

from app.engines.http import fetch, shown
from app.errors import EngineUnavailable, one_line

if TYPE_CHECKING:
    from prometheus_client.samples import Sample

COUNTERS = {
    "preemptions": ("vllm:num_preemptions",),
    "queries": ("vllm:prefix_cache_queries", "vllm:gpu_prefix_cache_queries"),
    "hits": ("vllm:prefix_cache_hits", "vllm:gpu_prefix_cache_hits"),
    "prompt_tokens": ("vllm:prompt_tokens",),
    "generation_tokens": ("vllm:generation_tokens",),
    "drafts": ("vllm:spec_decode_num_drafts",),
    "draft_tokens": ("vllm:spec_decode_num_draft_tokens",),
    "accepted_tokens": ("vllm:spec_decode_num_accepted_tokens",),
}
GAUGES = {
    "kv_cache_use": ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),  # a share, for all its name
    "running": ("vllm:num_requests_running",),
    "waiting": ("vllm:num_requests_waiting",),
}
_TOTAL = "_total"  # counters have it in the text, or do not, by version
_WANTED = frozenset(
    alias + end for aliases in (COUNTERS | GAUGES).values() for alias in aliases for end in ("", _TOTAL)
)
_SECONDS = 2.0
"""A busy server answers late."""

Labels = tuple[tuple[str, str], ...]
Reading = Mapping[str, Mapping[Labels, float]]
"""By our names (of COUNTERS and GAUGES), then by labels: each engine of a server has its own."""


class MetricsFault(Exception):
    """This time there was nothing to read, in one line why."""


class NoMetrics(MetricsFault):
    """There never will be: it is no vLLM, or keeps no statistics."""


class MetricsSource(Protocol):
    """Where vLLM's metrics are read."""

    def read(self) -> Reading:
        """As they are now.

        Raises:
            MetricsFault: they cannot be read.
        """
        ...


class ServerMetrics:
    """Of the server whose API is at ``base_url`` (``http://host:8000/v1``), with its bearer ``key`` where it has one.

    They lie beside the API, at ``http://host:8000/metrics``. A server on this machine is never asked through a proxy.
    """

    def __init__(self, base_url: str, key: str = "") -> None:
        self._base_url, self._key = base_url, key

    def read(self) -> Reading:
        """See MetricsSource; waits two seconds at most."""
        where = shown(self._base_url)
        try:
            url = _address(self._base_url, bare=bool(self._key))
            where = shown(url)
            headers = {"Authorization": f"Bearer {self._key}"} if self._key else None
            reply = fetch("GET", url, seconds=_SECONDS, headers=headers)
        except httpx.HTTPError as error:
            raise MetricsFault(f"{where} does not answer ({type(error).__name__}).") from None
        except (EngineUnavailable, ValueError) as error:  # no address, or one that no network could have
            raise NoMetrics(f"{where} cannot be asked: {one_line(error)}") from None
        if reply.status_code >= 500:
            raise MetricsFault(f"{where} failed ({reply.status_code}).")
        if reply.status_code != 200:
            raise NoMetrics(f"{where} gives no metrics ({reply.status_code}).")
        found = reading(_samples(reply.text, where))
        if not found:
            raise NoMetrics(f"{where} tells nothing of vLLM.")
        return found


class ProcessMetrics:
    """Of the vLLM in this process, where it keeps statistics (VLLM_DISABLE_LOG_STATS=false)."""

    def read(self) -> Reading:
        """See MetricsSource."""
        from prometheus_client import REGISTRY

        families = REGISTRY.restricted_registry(_WANTED).collect()
        found = reading(sample for family in families for sample in family.samples)
        if not found:
            raise NoMetrics("The vLLM in this process keeps no statistics: set VLLM_DISABLE_LOG_STATS=false.")
        return found


def reading(samples: Iterable[Sample]) -> Reading:
    """What of ``samples`` is ours, under our names."""
    every: dict[str, dict[Labels, float]] = {}
    for sample in samples:
        if sample.name in _WANTED and math.isfinite(sample.value):
            series = every.setdefault(sample.name.removesuffix(_TOTAL), {})
            series[tuple(sorted(sample.labels.items()))] = sample.value
    first = {
        name: next((alias for alias in aliases if alias in every), None)
        for name, aliases in (COUNTERS | GAUGES).items()
    }
    return {name: every[alias] for name, alias in first.items() if alias is not None}


def _samples(text: str, where: str) -> list[Sample]:
    """The samples in ``text`` that we want. The rest, most of it histograms, would take a hundred times longer."""
    from prometheus_client.parser import text_string_to_metric_families

    lines = [line for line in text.splitlines(keepends=True) if re.split(r"[{\s]", line, maxsplit=1)[0] in _WANTED]
    try:
        if lines and not text.endswith("\n"):
            raise ValueError("the last line has no end")  # the format wants one: a number may be cut
        return [sample for family in text_string_to_metric_families("".join(lines)) for sample in family.samples]
    except (ValueError, IndexError, KeyError):
        raise MetricsFault(f"What {where} tells cannot be read.") from None


def _address(base_url: str, *, bare: bool) -> str:
    """Where the metrics are; ``bare`` of a name and password, whose place a key takes. Raises ValueError."""
    parts = urlsplit(base_url.strip())
    path = parts.path.rstrip("/").removesuffix("/v1")
    place = parts.netloc.rpartition("@")[2] if bare else parts.netloc
    return parts._replace(netloc=place, path=f"{path}/metrics", query="", fragment="").geturl()
