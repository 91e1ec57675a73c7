"""A page of gradio, served on localhost alone, until Ctrl-C.

Nothing leaves this machine: there is no public link and no telemetry, and the page's policy forbids
the browser to load anything from other hosts. What is dropped into it is deleted at the end.
"""

import os
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipelines.core.console import say
from pipelines.core.errors import ModelError, RunError
from pipelines.core.processes import num_processes

INSTALL = "gradio: not installed: pip install 'graft-finetune[demo]'"
HOST = "127.0.0.1"
FIRST_PORT, NUM_PORTS = 7860, 100
POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
)
# what these name would be served, or shared, against what stands above
FOREIGN_OPTIONS = (
    "GRADIO_ALLOWED_PATHS",
    "GRADIO_ROOT_PATH",
    "GRADIO_SERVER_NAME",
    "GRADIO_SERVER_PORT",
    "GRADIO_SHARE",
)


def check(port: int | None) -> int:
    """Refuse before anything is loaded what cannot be served.

    Args:
        port: None for the first one that is free.

    Returns:
        The port.

    Raises:
        ModelError: gradio is not installed; says how to install it.
        RunError: several processes, or a port that is not free.
    """
    if find_spec("gradio") is None:
        raise ModelError(INSTALL)
    if num_processes() > 1:
        raise RunError("graft demo: started in several processes; one serves the page")
    ports = [port] if port is not None else range(FIRST_PORT, FIRST_PORT + NUM_PORTS)
    if free := next(filter(_is_free, ports), None):
        return free
    named = f"--port {port}" if port is not None else f"ports from {FIRST_PORT}"
    raise RunError(f"{named}: in use on {HOST}, or not allowed; name a free one: --port N")


@contextmanager
def prepared() -> Iterator[Path]:
    """Set what gradio reads when it is imported; gives its folder, which is deleted at the end."""
    for name in FOREIGN_OPTIONS:
        os.environ.pop(name, None)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    for name in ("NO_PROXY", "no_proxy"):  # gradio asks its own page whether it is up
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), HOST]))
    with TemporaryDirectory(prefix="graft-demo-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        yield Path(folder)


def serve(page: Any, port: int, *, opens_browser: bool, wait: Callable[[], Any]) -> None:
    """Serve a page until `wait` ends, or Ctrl-C or SIGTERM comes.

    Args:
        opens_browser: where there is one with windows.

    Raises:
        RunError: the port was taken in the meantime.
    """
    try:
        page.launch(
            server_name=HOST,
            server_port=port,
            share=False,
            prevent_thread_lock=True,
            quiet=True,
            inline=False,
            show_error=True,
            ssr_mode=False,
            mcp_server=False,
            pwa=False,
            enable_monitoring=False,
            run_history=False,
            footer_links=[],
            app_kwargs={"middleware": _middleware()},
        )
    except OSError as error:
        raise RunError(f"--port {port}: {error.strerror or error}; name another") from None
    except ValueError:
        # gradio gives its own page three seconds to answer: few where the machine is busy
        if not page.is_running:
            raise
    say(f"{page.local_url} (Ctrl-C ends it)")
    if opens_browser and _has_windows():
        webbrowser.open(page.local_url)
    try:
        wait()
    except KeyboardInterrupt:  # how it is meant to end
        pass
    finally:
        page.close(verbose=False)


def forever() -> None:
    """Wait for a signal."""
    threading.Event().wait()


def _middleware() -> list[Any]:
    """Build what stands around the page: only this host is asked, and no other one loaded from."""
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    # a page elsewhere whose name leads here is not answered (DNS rebinding)
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
    return [hosts, Middleware(_WithPolicy)]


class _WithPolicy:
    """Add the content security policy to every answer."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""

        async def send_with_policy(message: Any) -> None:
            """Add the header to the first message of an answer."""
            if message["type"] == "http.response.start":
                policy = (b"content-security-policy", POLICY.encode())
                message = {**message, "headers": [*message.get("headers", ()), policy]}
            await send(message)

        await self.app(scope, receive, send_with_policy)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            return False
    return True


def _has_windows() -> bool:
    """Return whether a browser would not take over the terminal."""
    return sys.platform != "linux" or bool({"DISPLAY", "WAYLAND_DISPLAY"} & {*os.environ})
