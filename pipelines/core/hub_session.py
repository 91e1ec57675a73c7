"""Requests to the Hub, whoever sends them: tried again where that helps, else one clear message.

huggingface_hub repeats some requests (uploads, what comes after the first bytes of a file) and
others not (the description of a repository, the user, a new repository), and transformers takes a
file that it could not get for one that does not exist: a 500 for model.safetensors would lead it to
pickled weights. Inside of `watched`, every request passes here; what failed for good is known at
the end of the block, whatever the libraries made of it.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from pipelines.core import hub_faults, xet_storage
from pipelines.core.console import warn
from pipelines.core.errors import RequestError
from pipelines.core.hub_faults import Fault
from pipelines.core.redaction import redact
from pipelines.core.upstream import request_file

NUM_TRIES = 5
FIRST_WAIT = 1.0  # seconds, doubled after each try
# seconds, where a library would wait forever; a commit of many files takes its time
TIMEOUTS = {"connect": 10.0, "read": 120.0, "write": 120.0, "pool": 120.0}

_lock = threading.Lock()
_reached: set[str] = set()  # hosts that have answered
_failures: list[RequestError] = []  # of the outermost block


@contextmanager
def watched(num_tries: int = NUM_TRIES) -> Iterator[list[RequestError]]:
    """Try requests again inside the block, and explain those that fail for good.

    The session of huggingface_hub stays the one that a user may have set up, with its proxies and
    certificates, and is as before after the block. Yields what has failed, as it fails: libraries
    may go on without a file, or raise something else.

    Raises:
        RequestError: by whatever sends a request, once it has failed for good.
        RequestError: GRAFT_HUB_WAIT is no number from 0 up.
    """
    from huggingface_hub.utils import get_session

    xet_storage.limit_waiting()
    first_wait = _first_wait()
    client: Any = get_session()
    with _lock:
        is_outermost = "send" not in vars(client)
        if is_outermost:
            _failures.clear()
            client.send = partial(_send, client.send, num_tries, first_wait)
    _redact_log()
    try:
        yield _failures
    finally:
        if is_outermost:
            with _lock:
                del client.send


def _send(
    send: Callable[..., Any], num_tries: int, first_wait: float, request: Any, **options: Any
) -> Any:
    """Send a request until it is answered, at most `num_tries` times."""
    limits = {name: limit for name, limit in _timeout(request).items() if limit is not None}
    request.extensions["timeout"] = {**TIMEOUTS, **limits}
    file = request_file(request)
    start = file.tell() if file else 0
    for number in range(1, num_tries + 1):
        response, error, fault = None, None, None
        try:
            response = send(request, **options)
            fault = hub_faults.of_response(response)
            _reached.add(request.url.host)
        except hub_faults.http_library().HTTPError as caught:
            error = caught
            was_reached = request.url.host in _reached
            fault = hub_faults.of_error(error, request, was_reached=was_reached)
        if fault is None:
            return response
        if response is not None:
            response.close()
        if not fault.may_pass or number == num_tries:
            failure = RequestError(_explanation(fault, number))
            _failures.append(failure)
            raise failure from error
        wait = first_wait * 2 ** (number - 1) if fault.wait is None else fault.wait
        warn(f"{fault.reason}; trying again in {wait:g} s ({number + 1} of {num_tries})")
        time.sleep(wait)
        if file:
            file.seek(start)
    raise AssertionError("the last try returns or raises")


def _timeout(request: Any) -> dict[str, float | None]:
    timeout: dict[str, float | None] = request.extensions.get("timeout") or {}
    return timeout


def _explanation(fault: Fault, num_tries: int) -> str:
    tries = f", {num_tries} times" if num_tries > 1 else ""
    return f"{fault.reason}{tries}; {fault.advice}"


def _first_wait() -> float:
    text = os.environ.get("GRAFT_HUB_WAIT", "").strip()
    if not text:
        return FIRST_WAIT
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):  # false of nan as well
        raise RequestError(
            f"GRAFT_HUB_WAIT={text}: expected a number of seconds from 0 up, such as {FIRST_WAIT:g}"
        )
    return seconds


def _redact_log() -> None:
    """Keep passwords of addresses out of what huggingface_hub logs by itself."""
    import logging

    for output in logging.getLogger("huggingface_hub").handlers:
        if _redacted not in output.filters:
            output.addFilter(_redacted)


def _redacted(record: Any) -> bool:
    record.msg, record.args = redact(record.getMessage()), ()
    return True
