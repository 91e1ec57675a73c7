"""A response or an error of the Hub's client -> what is wrong with it, and whether it may pass.

What the libraries understand by themselves is no fault: a file, a revision or a repository that
does not exist, and a gated one.
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from pipelines.core import hub_answers
from pipelines.core.console import printable
from pipelines.core.hub_answers import COMMIT

MAX_WAIT = 300.0  # seconds that a run waits because the Hub asks it to
PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
FINAL = {HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.HTTP_VERSION_NOT_SUPPORTED}
UNDERSTOOD = {"RepoNotFound", "RevisionNotFound", "EntryNotFound", "GatedRepo"}  # by libraries
HUB_HOSTS = ("huggingface.co", "hf.co")  # where mirrors send what they do not hold
LOGIN = "set HF_TOKEN or run `hf auth login`"
LATER = "try again later, or set HF_ENDPOINT to a mirror"
NETWORK = (
    "check the network, or set HF_ENDPOINT to a mirror; for a copy in the local cache set "
    "HF_HUB_OFFLINE=1"
)
PORTAL = (
    "a network that asks for a login, or a proxy, answers in its place: log in, or set HF_ENDPOINT "
    "to a mirror that can be reached"
)


@dataclass(frozen=True)
class Fault:
    """Why a request came to nothing.

    Attributes:
        reason: what the Hub answered, and for what.
        advice: what the user can do.
        may_pass: whether trying again can help.
        wait: seconds that the Hub asks to wait; None if it does not say.
    """

    reason: str
    advice: str
    may_pass: bool = False
    wait: float | None = None


def of_response(response: Any) -> Fault | None:
    """Return what is wrong with a response; None for one that the libraries can deal with."""
    status, headers, request = response.status_code, response.headers, response.request
    if status == HTTPStatus.NETWORK_AUTHENTICATION_REQUIRED or _is_web_page(response):
        return Fault(f"a web page stands where {_place(request)} should", PORTAL)
    if _leads_away(response):
        host = response.next_request.url.host
        return Fault(f"{_place(request)} leads to {host}, which is no Hub", PORTAL)
    if status in PASSING or (status >= 500 and status not in FINAL):
        wait = _requested_wait(headers)
        if wait is not None and wait > MAX_WAIT:
            return Fault(_answer(response), f"it asks to wait {wait:,.0f} s; {LATER}")
        return Fault(_answer(response), LATER, may_pass=True, wait=wait)
    if headers.get("X-Error-Code") in UNDERSTOOD:
        return None
    if status == HTTPStatus.UNAUTHORIZED and "Authorization" in request.headers:
        return Fault(f"{_host(request)} does not accept the token", LOGIN)
    if status == HTTPStatus.FORBIDDEN:
        does = "read" if request.method in ("GET", "HEAD") else "write to"
        advice = f"the token may not {does} it; check the token's scope and the owner's name"
        return Fault(_answer(response), advice)
    if _is_file(request) and status >= 400:
        return Fault(_answer(response), f"expected a Hub; {LATER}")
    if _leads_nowhere(response):
        return Fault(_answer(response), "it leads nowhere, as no Hub does; set HF_ENDPOINT")
    return _of_content(response)


def _of_content(response: Any) -> Fault | None:
    """Return what is wrong with an answer that arrived, and whose status is that of a success."""
    request, headers = response.request, response.headers
    if _lacks_commit(response):
        return Fault(f"{_place(request)} comes without {COMMIT}, as from no Hub", PORTAL)
    if _is_cut(response):
        return Fault(f"{_place(request)} arrived in part", LATER, may_pass=True)
    if commit := hub_answers.other_commit(request.url.path, headers):
        return Fault(f"{_place(request)} comes from commit {commit}, and not from its own", LATER)
    if not ("/api/" in request.url.path and response.is_success):
        return None
    try:
        content = response.content
    except http_library().ResponseNotRead:
        return None
    if not hub_answers.is_json(content):
        return Fault(f"{_place(request)} is no JSON", LATER, may_pass=True)
    if not hub_answers.has_its_form(request.url.path, request.url.query, content):
        return Fault(f"{_place(request)} is JSON, but not what a Hub answers", PORTAL)
    return None


def of_error(error: Any, request: Any, *, was_reached: bool) -> Fault:
    """Return what is wrong with a request that got no response.

    Args:
        was_reached: whether the host has answered before: then a connection may come again.
    """
    library, host = http_library(), _host(request)
    detail = printable(error) or type(error).__name__
    if isinstance(error, library.ConnectError | library.ConnectTimeout | library.ProxyError):
        reason = f"the Hub cannot be reached at {host} ({detail})"
        return Fault(reason, NETWORK, may_pass=was_reached)
    if isinstance(error, library.UnsupportedProtocol | library.TooManyRedirects):
        return Fault(f"{_place(request)} cannot be had ({detail})", "check HF_ENDPOINT")
    reason = f"the connection broke off before {_place(request)} had arrived ({detail})"
    return Fault(reason, NETWORK, may_pass=True)


def http_library() -> Any:
    """Return the module that huggingface_hub sends its requests with: httpx, or httpx2 since 2."""
    from huggingface_hub.errors import HTTPError

    return sys.modules[HTTPError.__module__.partition(".")[0]]


def _answer(response: Any) -> str:
    """Write `https://hub answers 503 (Service Unavailable: overloaded) for /owner/name/…`."""
    phrase, message = response.reason_phrase, _message(response)
    because = ": ".join(filter(None, (phrase, message)))
    because = f" ({because})" if because else ""
    request = response.request
    return f"{_host(request)} answers {response.status_code}{because} for {request.url.path}"


def _message(response: Any) -> str:
    """Return what the Hub says about an error, in a header or its JSON."""
    message = response.headers.get("X-Error-Message")
    if not message and "json" in response.headers.get("Content-Type", ""):
        try:
            response.read()  # a streamed one has not arrived yet
            message = response.json().get("error")
        except (ValueError, AttributeError, http_library().HTTPError):
            message = None
    return printable(message) if isinstance(message, str) else ""


def _requested_wait(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After, seconds or a date, or the header of the Hub's own rate limit."""
    from huggingface_hub.utils import parse_ratelimit_headers

    text = headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # no date, or one without a time zone
        limit = parse_ratelimit_headers(headers)
    return float(limit.reset_in_seconds) if limit and limit.remaining == 0 else None


def _is_web_page(response: Any) -> bool:
    is_html = response.headers.get("Content-Type", "").lower().startswith("text/html")
    is_wanted = response.request.url.path.endswith((".html", ".htm"))
    return is_html and response.is_success and not is_wanted and COMMIT not in response.headers


def _leads_away(response: Any) -> bool:
    """Return whether a redirect leads to another host in another way than a Hub's do."""
    target = response.next_request
    if target is None or target.url.host == response.request.url.host:
        return False
    return COMMIT not in response.headers and not target.url.host.endswith(HUB_HOSTS)


def _lacks_commit(response: Any) -> bool:
    is_description = response.request.method == "HEAD" and _is_file(response.request)
    return is_description and response.is_success and COMMIT not in response.headers


def _is_cut(response: Any) -> bool:
    """Return whether a part of a file, as streams read them, is shorter than it says."""
    headers = response.headers
    span = re.match(r"bytes (\d+)-(\d+)/", headers.get("Content-Range", ""))
    length = headers.get("Content-Length", "")
    if not span or not length.isdecimal() or "Content-Encoding" in headers:
        return False
    return int(span[2]) - int(span[1]) + 1 != int(length)


def _leads_nowhere(response: Any) -> bool:
    """Return whether a redirect names no address, or the one that was asked for."""
    if not 300 <= response.status_code < 400:
        return False
    target = response.next_request
    is_loop = target is not None and target.url == response.request.url
    return is_loop or "Location" not in response.headers


def _is_file(request: Any) -> bool:
    return "/resolve/" in request.url.path


def _host(request: Any) -> str:
    """Write where a request went, without what a user wrote before the @."""
    url = request.url
    return f"{url.scheme}://{url.netloc.decode('ascii').rpartition('@')[2]}"


def _place(request: Any) -> str:
    """Write an address without its query, which may be signed."""
    return f"{_host(request)}{request.url.path}"
