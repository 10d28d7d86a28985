"""What is found out about a route's server on the way: its model, and what it can do."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from app.engines.routing.exchange import Part, Patience, exchange
from app.engines.routing.faults import Blame, Fault, Faults
from app.engines.routing.live import LiveRoute
from app.engines.routing.requests import CHAT, SMALLEST, asked, from_text
from app.engines.routing.resume import Attempt
from app.engines.routing.served import fetch_list, list_models, missing, pick, read_list
from app.errors import EngineError, ModelMissing

log = logging.getLogger(__name__)

PROBE_SECONDS = 10.0
"""How long a probe waits for its token."""
_LONGER = replace(SMALLEST, options={**SMALLEST.options, "max_tokens": 32})
_BEGUN = "Hello and welcome"
_SAID = replace(SMALLEST, messages=[*SMALLEST.messages, {"role": "assistant", "content": _BEGUN}])
_OURS = ("return_token_ids", "extra inputs", "extra fields", "unrecognized", "unknown field", "unexpected")


async def learn(live: LiveRoute) -> None:
    """Asks the server what it serves, once for all who want to know. Raises Fault where it does not tell."""
    loop = asyncio.get_running_loop()  # in a forked process another one, where the old one's work never ends
    if live.learning is None or live.learning.done() or live.learning.get_loop() is not loop:
        live.learning = asyncio.ensure_future(_learn(live))
        live.learning.add_done_callback(lambda task: task.cancelled() or task.exception())  # perhaps nobody waits
    await asyncio.shield(live.learning)


async def _learn(live: LiveRoute) -> None:
    faults = Faults(live.route, live.model)
    if live.route.refusal:
        raise faults.offline(live.route.refusal)
    try:
        reply = await asyncio.to_thread(fetch_list, live.route)
    except EngineError as error:
        raise Fault(Blame.ROUTE, error, "the server does not tell what it serves") from error
    if reply.status_code != 200:
        fault = faults.status(reply.status_code, reply.text, reply.headers.get("Retry-After"))
        if fault.blame is Blame.ASKER:  # it was not the asker who asked for the list
            fault = Fault(Blame.SETUP, fault.error, fault.reason)
        raise fault
    try:
        model = pick(live.route, read_list(live.route, reply))
    except ModelMissing as error:
        raise Fault(Blame.SETUP, error, "it does not serve the model") from error
    except EngineError as error:
        raise faults.other_kind() from error
    live.model, live.window = model.name, model.window


async def explained(live: LiveRoute, fault: Fault) -> tuple[Fault, bool]:
    """What a 404 means: another model is served there, or another program. Whether asking again would help."""
    try:
        models = await asyncio.to_thread(list_models, live.route)
    except EngineError as error:
        return Fault(Blame.SETUP, error, fault.reason, status=404), False
    if not live.route.model and models and live.model not in [model.name for model in models]:
        live.model, live.window = models[0].name, models[0].window
        return fault, True
    if live.model in [model.name for model in models]:
        return fault, False
    return Fault(Blame.SETUP, missing(live.route, models), "it does not serve the model", status=404), False


def corrected(live: LiveRoute, attempt: Attempt, fault: Fault) -> bool:
    """Whether the server only minds how it was asked, which the next request does otherwise."""
    # What the attempt asked for counts, not what is known now: another question may have found out meanwhile.
    words = fault.reason.lower()
    minds = fault.status in (400, 422) and any(name in words for name in _OURS)
    if minds and "return_token_ids" in attempt.body:
        live.takes_ids = live.takes_tokens = False
        return True
    if attempt.how == "tokens" and fault.status in (400, 404, 405, 415, 422, 501):
        live.takes_tokens = False
        return True
    if attempt.how == "text" and fault.status in (400, 422):
        live.resumes = "no"
        return True
    return False


async def probe(live: LiveRoute) -> float:
    """Seconds for the answer to a real question: one token, a few where answers broke off before. Raises Fault.

    A list of models, or ``/health``, comes from a server that can answer nothing too.
    """
    if not live.model:
        await learn(live)
    began = asyncio.get_running_loop().time()
    question = _LONGER if live.breaks_midway else SMALLEST
    await _tokens(live, asked(question, live.model, ids=False))
    return asyncio.get_running_loop().time() - began


async def try_resume(live: LiveRoute, seconds: float = PROBE_SECONDS) -> None:
    """Finds out, within ``seconds``, whether the server goes on with a text that was begun: its count of tokens tells.

    One that knows nothing of ``continue_final_message`` takes the text for a message of its own and closes it: that
    makes a longer prompt of it, also where nothing is opened after it.
    """
    live.wondered_at = live.now()
    try:
        async with asyncio.timeout(seconds):
            live.resumes = "text" if await _goes_on(live) else "no"
    except TimeoutError:
        return
    except Fault as fault:
        if fault.status not in (400, 422):
            return
        live.resumes = "no"
    log.info("route %s goes on with a text that was begun: %s", live.route.name, live.resumes)


async def _goes_on(live: LiveRoute) -> bool:
    closed = asked(_SAID, live.model, ids=False) | {"add_generation_prompt": False}
    begun = await _tokens(live, from_text(SMALLEST, live.model, _BEGUN, None, ids=False))
    try:
        whole = await _tokens(live, closed)
    except Fault as fault:  # a template that wants the last word to be the user's, unless it is told otherwise
        if fault.status == 400:
            return True
        raise
    return 0 < begun < whole


async def _tokens(live: LiveRoute, body: dict[str, object]) -> int:
    """How many tokens the prompt has, 0 where the server does not tell. Raises Fault where no token comes in time."""
    seconds = min(PROBE_SECONDS, live.route.timeout)
    last = Part()
    async for part in exchange(live.route, live.model, CHAT, body, Patience(seconds, seconds, seconds)):
        last = part
    return last.usage[0] if last.usage else 0
