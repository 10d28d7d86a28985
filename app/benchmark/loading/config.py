"""What a run of load was, in the words of its report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.benchmark.loading.arrival_times import Coming
    from app.benchmark.loading.request import ArrivalRequest, LoadRequest
    from app.benchmark.target import Target


def load(request: LoadRequest, target: Target) -> dict[str, Any]:
    """Of a closed loop."""
    loop = {"concurrency": request.concurrency, "num_requests": request.requests, "warm_up_requests": request.warm_up}
    return {**_both(request, target), **loop}


def arrival(request: ArrivalRequest, target: Target, plan: Coming) -> dict[str, Any]:
    """Of an open loop."""
    return {
        **_both(request, target),
        **({} if request.trace is None else {"prompts": request.trace_name or "the recording"}),
        "process": plan.process,
        "rate": round(plan.rate, 6),
        "duration_s": round(plan.duration, 3),
        "num_prompts": len(plan.times),
        "burstiness": request.burstiness if plan.process == "bursty" else None,
        "seed": request.seed,
        "trace": request.trace_name or None,
        "warm_up_s": round(plan.warm_up, 3),
        "cool_down_s": round(request.cool_down, 3),
        "limits": dict(request.limits),
    }


def _both(request: LoadRequest | ArrivalRequest, target: Target) -> dict[str, Any]:
    source = request.prompts
    return {
        "target": target.name,
        "model": target.model,
        "api": "engine" if request.engine else "completions" if request.completions else "chat",
        "prompts": source.file if source.kind == "prompts" else f"synthetic, about {source.tokens} tokens",
        "prompt_seed": source.seed,
        "max_tokens": request.max_tokens,
        "fixed_length": request.fixed,
        "temperature": 0.0,
        "timeout_s": request.patience,
        "check_tokens": request.check_tokens,
    }
