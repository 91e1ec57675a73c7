"""Faults between a client and the test hub: errors, login pages, dropped and damaged answers.

    hub.faults.append(Fault("model.safetensors", "flip", times=1))

A fault applies to requests whose method and path match; the first that applies counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from http import HTTPStatus

from hub_http import Answer, Call, as_json, route

PAGE = b"<!DOCTYPE html><html><body>Please log in to this network.</body></html>"


@dataclass
class Fault:
    """What happens to some requests.

    Attributes:
        path: a regular expression, searched for in the path with its query.
        kind: a status, such as 503; or
            `html`: a web page, with status 200;
            `redirect`: to a web page on another host;
            `garbage`: no JSON, with the content type of JSON;
            `json`: what a login page for programs would answer, with status 200;
            `other commit`: a file of another commit than the one that was asked for;
            `nowhere`: a redirect without an address;
            `loop`: one to the same address;
            `gzip`: a body that is not what its encoding says;
            `drop`: the connection ends without an answer;
            `cut`: it ends in the middle of the body;
            `short`: half of the body, with the length of that half;
            `flip`: the body with one bit changed.
        method: a regular expression for all of it.
        times: how often; -1 for always.
        after: so many requests that pass before.
        headers: of an answer with a status, such as Retry-After.
    """

    path: str
    kind: int | str
    method: str = ".*"
    times: int = -1
    after: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    def applies(self, call: Call) -> bool:
        """Whether the fault befalls this call; counts it."""
        is_meant = re.fullmatch(self.method, call.method) and re.search(self.path, call.target)
        # the answer to HEAD has no body that could be damaged
        is_empty = call.method == "HEAD" and self.kind in ("cut", "short", "flip")
        if not is_meant or is_empty or self.times == 0:
            return False
        self.after -= 1
        if self.after >= 0:
            return False
        self.times -= 1
        return True

    def ends(self, call: Call) -> bool:
        """Whether the connection ends without an answer."""
        return self.kind == "drop"

    def instead(self, call: Call) -> Answer | None:
        """What is answered instead of carrying out the call; None where it is carried out."""
        if isinstance(self.kind, int):
            failed = as_json({"error": "This hub was told to fail"}, self.kind)
            return Answer(failed.body, failed.status, failed.headers | self.headers)
        if self.kind == "redirect":
            away = f"http://localhost:{call.hub.endpoint.rpartition(':')[2]}/portal"
            return Answer(status=HTTPStatus.FOUND, headers={"Location": away})
        if self.kind == "html":
            return login_page()
        if self.kind == "json":
            return as_json({"error": "Please log in to this network."})
        if self.kind in ("nowhere", "loop"):
            place = {"Location": call.target} if self.kind == "loop" else {}
            return Answer(status=HTTPStatus.FOUND, headers=place)
        if self.kind in ("other commit", "gzip"):
            revision = call.target.partition("/resolve/")[2].partition("/")[0]
            commit = revision if self.kind == "gzip" else "b" * 40
            encoding = {"Content-Encoding": "gzip"} if self.kind == "gzip" else {}
            return Answer(b"{}", headers={"X-Repo-Commit": commit, "ETag": '"a"', **encoding})
        if self.kind == "garbage":
            return Answer(b'{"sha": ', headers={"Content-Type": "application/json"})
        return None

    def damaged(self, call: Call, answer: Answer) -> Answer:
        """What arrives of an answer."""
        body, headers = answer.body, dict(answer.headers)
        if not body or self.kind not in ("cut", "short", "flip"):
            return answer
        half, flipped = body[: len(body) // 2], bytes([*body[:-1], body[-1] ^ 1])
        body = flipped if self.kind == "flip" else half
        if self.kind == "short":
            headers["Content-Length"] = str(len(body))
        return Answer(body, answer.status, headers)


@route("GET", "/portal")
def login_page(_call: Call | None = None) -> Answer:
    """What a network that asks for a login shows instead of everything."""
    return Answer(PAGE, headers={"Content-Type": "text/html; charset=utf-8"})
