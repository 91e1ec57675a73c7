"""Calls, answers and the table of routes between them; the connections that carry both.

An endpoint takes the call and the named groups of its route, and returns an `Answer` or raises
`HubError`. Clients tell errors apart by `X-Error-Code`, which must be there: their fallback,
recognizing a repository by the URL, works only over https.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from hub_store import HubError, Repo

if TYPE_CHECKING:
    from hub_server import HubServer


@dataclass
class Answer:
    """A response; its length is that of `body` unless `headers` say otherwise, as for HEAD."""

    body: bytes = b""
    status: int = HTTPStatus.OK
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.headers.setdefault("Content-Length", str(len(self.body)))


def as_json(value: Any, status: int = HTTPStatus.OK) -> Answer:
    return Answer(json.dumps(value).encode(), status, {"Content-Type": "application/json"})


@dataclass(frozen=True)
class Call:
    """One request, and what its sender may see."""

    hub: HubServer
    method: str
    target: str
    headers: Message
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def has_token(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {self.hub.token}"

    def flag(self, name: str) -> bool:
        query = parse_qs(urlsplit(self.target).query)
        return query.get(name, ["false"])[-1].lower() in ("true", "1")

    def require_token(self) -> None:
        if not self.has_token:
            raise HubError(401, "", "Invalid username or password.")

    def repo(self, kind: str, name: str) -> Repo:
        """The repository, if the sender may know of it.

        One that is missing and one that is private look the same: 401 to the anonymous, 404 to
        others.
        """
        repo = self.hub.store.repos.get((kind, name))
        if repo is None or (repo.private and not self.has_token):
            raise HubError(404 if self.has_token else 401, "RepoNotFound", "Repository not found")
        return repo

    def own_repo(self, kind: str, name: str) -> Repo:
        """The repository, if the sender may write to it."""
        self.require_token()
        return self.repo(kind, name)


Endpoint = Callable[..., Answer]
ROUTES: list[tuple[str, re.Pattern[str], Endpoint]] = []
NAME = r"(?P<name>[^/]+(?:/[^/]+)?)"  # "gpt2" as well as "owner/name"
PAGE = rf"/(?:(?P<kind>dataset|space)s/)?{NAME}"
API = rf"/api/(?P<kind>model|dataset|space)s/{NAME}"
AT = r"(?P<revision>[^/]+)"


def route(method: str, pattern: str) -> Callable[[Endpoint], Endpoint]:
    """Enter an endpoint in the table; HEAD goes to the endpoint for GET, the first match wins."""

    def enter(endpoint: Endpoint) -> Endpoint:
        ROUTES.append((method, re.compile(pattern), endpoint))
        return endpoint

    return enter


def respond(call: Call) -> Answer:
    """The answer to a call, errors included."""
    try:
        endpoint, groups = find_endpoint(call)
        if status := call.hub.failures.get(endpoint.__name__):
            raise HubError(status, "", "This hub was told to fail")
        if call.headers.get("Authorization") and not call.has_token:
            raise HubError(401, "", "Invalid credentials in Authorization header")
        return endpoint(call, **groups)
    except HubError as error:
        answer = as_json({"error": error.message, **error.fields}, error.status)
        answer.headers["X-Error-Message"] = error.message.encode("ascii", "replace").decode()
        optional = {"X-Error-Code": error.code, "X-Repo-Commit": error.sha}
        answer.headers |= {name: value for name, value in optional.items() if value}
        return answer


def find_endpoint(call: Call) -> tuple[Endpoint, dict[str, str | None]]:
    """The endpoint for a call and the groups of its route, unquoted; `kind` is never missing."""
    method = "GET" if call.method == "HEAD" else call.method
    for known, pattern, endpoint in ROUTES:
        if known == method and (match := pattern.fullmatch(call.path)):
            groups = {key: value and unquote(value) for key, value in match.groupdict().items()}
            if "kind" in groups:
                groups["kind"] = groups["kind"] or "model"
            return endpoint, groups
    raise HubError(404, "", f"This hub has no endpoint for {call.method} {call.path}")


class Connection(BaseHTTPRequestHandler):
    """One client's connection, kept open between requests."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else every answer may wait 40 ms for an acknowledgement

    def __init__(self, hub: HubServer, *args: Any) -> None:
        self.hub = hub
        super().__init__(*args)

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # a client may leave in the middle of a stream
            super().handle()

    def answer(self) -> None:
        self.hub.requests.append((self.command, self.path))
        call = Call(self.hub, self.command, self.path, self.headers, self.read_body())
        fault = next((fault for fault in self.hub.faults if fault.applies(call)), None)
        if fault and fault.ends(call):
            self.hang_up()
            return
        # what a failing hub did not answer has not happened either
        answer = fault.instead(call) if fault else None
        answer = answer or respond(call)
        answer = fault.damaged(call, answer) if fault else answer
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        if self.command != "HEAD" and len(answer.body) < int(answer.headers["Content-Length"]):
            self.hang_up()

    def hang_up(self) -> None:
        """End the connection, whatever the client waits for."""
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def read_body(self) -> bytes:
        """The request's body, sent with a length or in chunks."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing: `hub.requests` is the log."""


for verb in ("GET", "HEAD", "POST", "PUT", "DELETE"):
    setattr(Connection, f"do_{verb}", Connection.answer)  # where the base class looks for it
