"""Control who may connect over HTTP: by default, programs on this machine only."""

from __future__ import annotations

import base64
import errno
import hmac
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from translate.errors import UsageError

LOOPBACK = "127.0.0.1"
MIN_TOKEN = 16  # Characters.

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Refuse = Callable[[int, str, Mapping[str, str]], App]  # Takes status, message and headers of an answer.


def is_loopback(host: str) -> bool:
    """Return whether an address can be reached from this machine only."""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def read_token(file: Path | None, host: str) -> str:
    """Read the token that clients have to send; empty if there is none.

    Raises:
        UsageError: the file cannot be read, the token is short, or there is none and the host is no loopback.
    """
    if file is None:
        if not is_loopback(host):
            raise UsageError(
                f"--host {host} lets other machines connect, which need a token:"
                " give a file that holds one with --token-file"
            )
        return ""
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise UsageError(f"--token-file {file}: {error}: give a text file") from None
    if len(token) < MIN_TOKEN or not token.isascii() or not token.isprintable():
        raise UsageError(
            f"--token-file {file}: a token needs at least {MIN_TOKEN} printable ASCII characters"
        )
    return token


def bind_port(host: str, port: int) -> socket.socket:
    """Bind a socket to an address, so that no other program can take it.

    Raises:
        UsageError: the address is not one of this machine, or the port is in use.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        flag = "--port" if error.errno in (errno.EADDRINUSE, errno.EACCES) else "--host"
        raise UsageError(f"--host {host} --port {port}: {error.strerror}: give another {flag}") from None
    return listener


def http_address(listener: socket.socket) -> str:
    """Return the address of a bound socket as a browser takes it."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


class AccessControl:
    """An ASGI middleware that refuses foreign Host and Origin headers, and requests without the token.

    A page of another site can reach this machine by a domain name of its own that it lets resolve to
    127.0.0.1 (DNS rebinding); its requests carry that name in the Host header. Only addresses, `localhost`,
    the name of this machine and `host` are accepted, which no other site can take. A page of another site can
    also send requests whose answers it cannot read (CSRF); they carry that site in the Origin header.

    Args:
        host: the address that is listened on.
        token: what `Authorization: Bearer` must carry, or the password of `Authorization: Basic`, for which
            browsers ask; empty if no token is needed.
        open_paths: paths that need no token.
        refuse: creates the answer to a refused request.
    """

    def __init__(
        self, app: App, *, host: str, token: str, refuse: Refuse, open_paths: tuple[str, ...] = ()
    ) -> None:
        self.app, self.token, self.refuse, self.open_paths = app, token, refuse, open_paths
        self.names = {"localhost", socket.gethostname().lower(), host.lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it: 421 or 403 for its Host or Origin header, 401 for its token."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host, origin = headers.get(b"host", ""), headers.get(b"origin")
        if not self._is_known(host):
            answer = self.refuse(421, f"host {host!r} is not this server: use its address, or localhost", {})
        elif origin is not None and origin.partition("://")[2] != host:
            answer = self.refuse(403, f"origin {origin!r} is another site: open this server's own page", {})
        elif not self._has_token(scope["path"], headers.get(b"authorization", "")):
            message = "no token, or a wrong one: send it as Authorization: Bearer TOKEN, or as a password"
            answer = self.refuse(401, message, {"www-authenticate": 'Basic realm="translate", Bearer'})
        else:
            answer = self.app
        await answer(scope, receive, send)

    def _is_known(self, header: str) -> bool:
        try:
            name = urlsplit(f"//{header}").hostname or ""
        except ValueError:
            return False
        return name in self.names or _is_address(name)

    def _has_token(self, path: str, header: str) -> bool:
        if not self.token or path in self.open_paths:
            return True
        scheme, _, credentials = header.partition(" ")
        if scheme.lower() == "basic":
            credentials = _password(credentials)
        elif scheme.lower() != "bearer":
            return False
        return hmac.compare_digest(credentials.encode(), self.token.encode())


def _password(credentials: str) -> str:
    """Return the password of basic credentials (RFC 7617); empty if they are damaged."""
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _is_address(host: str) -> bool:
    """Return whether a host is an IP address, which no domain name can pass for."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
