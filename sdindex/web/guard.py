"""`Guard`: lets only the server's own page, in this user's browser, ask the server.

Any page on the web can have a browser send requests to this machine, and a name can be made to
lead here (DNS rebinding). So a request must name this server as its host, come from its own page,
and bring the token: in the address of the page, which then lays down a cookie that no other site
can use.
"""

import asyncio
import hmac
import json
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response

MOST_BYTES = 1 << 20  # bytes of a request
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
PAGE = "/"


class Guard:
    """Let the requests of the own page through to an application, and refuse all others.

    Parameters
    ----------
    app
        The application.
    token
        The secret of the server's own page.
    port
        The server's port, which is part of its name.
    """

    def __init__(self, app: Any, token: str, port: int) -> None:
        self._app, self._token = app, token
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._cookie = f"sdindex-{port}"  # cookies do not know ports

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        why = self._refused(scope, headers)
        if why is not None:
            await _with_headers(PlainTextResponse(why, 403))(scope, receive, send)
            return
        cookie = None
        if scope["path"] == PAGE:
            cookie = f"{self._cookie}={self._token}; HttpOnly; SameSite=Strict; Path=/"

        begun = False

        async def sent(message: Any) -> None:
            nonlocal begun
            begun = True
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                answer.update(HEADERS)
                answer.setdefault("Cache-Control", "no-store")
                if cookie is not None:
                    answer.append("Set-Cookie", cookie)
            await send(message)

        try:
            await self._app(scope, receive, sent)
        except asyncio.CancelledError:  # the server is ending, which is no error to log
            if begun:
                raise
            await _with_headers(PlainTextResponse("this server ends", 503))(scope, receive, send)

    def _refused(self, scope: Mapping[str, Any], headers: Headers) -> str | None:
        """Return why a request is refused; None where it is not."""
        if headers.getlist("host") not in [[host] for host in self._hosts]:
            return "this server has another name"
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        if origin is not None and origin != f"http://{headers['host']}":
            return "another page may not ask this server"
        if scope["method"] == "POST" and (
            origin is None or headers.get("content-type", "") != "application/json"
        ):
            return "only the page itself may ask this"
        is_page = scope["path"] == PAGE and headers.get("sec-fetch-mode") in (None, "navigate")
        if site not in ("same-origin", "none") and not is_page:
            return "another page may not ask this server"
        if not self._has_token(scope, headers):
            return "open the address that `sdindex review` printed, with its token"
        return None

    def _has_token(self, scope: Mapping[str, Any], headers: Headers) -> bool:
        given = []
        if scope["path"] == PAGE:
            query = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=8)
            given = query.get("token", [])
        cookies: SimpleCookie = SimpleCookie()
        try:
            cookies.load(headers.get("cookie", ""))
        except CookieError:
            cookies = SimpleCookie()
        if self._cookie in cookies:
            given.append(cookies[self._cookie].value)
        return any(hmac.compare_digest(one.encode(), self._token.encode()) for one in given)


def _with_headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response


async def asked(request: Any) -> dict[str, Any]:
    """Return the JSON object in a request.

    Raises
    ------
    ValueError
        When it is none, or too large.
    """
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > MOST_BYTES:
            raise ValueError("a request of more than a megabyte")
    found = json.loads(content)
    if not isinstance(found, dict):
        raise ValueError("a request that is no object")
    return found
