"""A database's URL, taken apart once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote

_KINDS = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mysql": "mysql",
    "mariadb": "mariadb",
    "mongodb": "mongodb",
    "mongodb+srv": "mongodb",
}
SERVER_SCHEMES = tuple(_KINDS)
"""What the URL of a database on a server begins with."""
_OPTIONS = {
    "postgresql": {"host", "sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout"},
    "mysql": {"socket", "ssl-mode", "ssl-ca", "ssl-cert", "ssl-key", "connect_timeout"},
}
_OPTIONS["mariadb"] = _OPTIONS["mysql"]
_SSL_MODES = {
    "postgresql": {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"},
    "mysql": {"disabled", "preferred", "required", "verify-ca", "verify-identity"},
}
_SSL_MODES["mariadb"] = _SSL_MODES["mysql"]
_UNPROVED = {"", "disable", "allow", "prefer", "disabled", "preferred"}
"""Modes of TLS in which a connection may be made without it."""
_URL = re.compile(
    r"(?P<scheme>[^:/]+)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?P<query>.*)", re.DOTALL
)
_ENCODE = (
    "an address in which '/', '?', '#', '@', ':' and '%' of a name or password are written as '%' "
    "and two hexadecimal digits ('@' is %40); or the password by itself, as it is, in …__PASSWORD"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseAddress:
    """Where a database server listens, and as whom to speak to it."""

    kind: str
    """`postgresql`, `mysql`, `mariadb` or `mongodb`."""
    scheme: str = ""
    host: str = ""
    """"" means this machine, by the engine's usual socket; MongoDB's may be several, with ports."""
    port: int | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    database: str = ""
    """"" means all databases of the server."""
    socket: str = ""
    """A socket's path (MySQL, MariaDB) or its directory (PostgreSQL)."""
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def quoted_password(self) -> str:
        """The password as a URL holds it."""
        return quote(self.password, safe="")

    @property
    def uri(self) -> str:
        """Put the address together again, with its password."""
        secret = f":{self.quoted_password}" if self.password else ""
        user = f"{quote(self.user, safe='')}{secret}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        options = "&".join(f"{name}={quote(value)}" for name, value in self.options.items())
        query = f"?{options}" if options else ""
        return f"{self.scheme}://{user}{self.host}{port}/{quote(self.database, safe='')}{query}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseAccess:
    """A server's address, the programs to speak to it with, and how long they may take."""

    address: DatabaseAddress
    program: str = ""
    """Where the dump program is; its companions are looked for beside it. "": on PATH."""
    time_limit: float = 6 * 3600.0
    """Seconds that one program may take."""
    stall_limit: float = 900.0
    """Seconds in which it may neither give nor take a byte."""


def kind_of(url: str) -> str:
    """Tell the kind of database by the beginning of its URL; `sqlite` has no server."""
    scheme = url.partition("://")[0].lower()
    return _KINDS.get(scheme, scheme)


def parse_database_url(url: str) -> DatabaseAddress:
    """Take a database URL apart: `<kind>://[user[:password]@][host[:port]]/[database][?options]`.

    Raises:
        ValueError: it is not one; the message says what is, and never holds the URL.
    """
    match = _URL.fullmatch(url)
    scheme = match["scheme"].lower() if match else ""
    if match is None or scheme not in _KINDS:
        raise ValueError("an address that starts with " + ", ".join(f"{n}://" for n in _KINDS))
    kind = _KINDS[scheme]
    if "@" in match["path"] and "@" not in match["authority"]:
        raise ValueError(_ENCODE)
    userinfo, _, place = match["authority"].rpartition("@")
    user, _, password = userinfo.partition(":")
    host, port = (place, None) if kind == "mongodb" else _host_and_port(place)
    if match["query"].startswith("#"):
        raise ValueError(_ENCODE)
    options = _options(kind, match["query"].removeprefix("?"))
    socket = options.pop("socket", "")
    host = _decoded(host)
    if kind == "postgresql":
        host = options.pop("host", host)
        socket, host = (host, "") if host.startswith("/") else ("", host)
    return DatabaseAddress(
        kind=kind,
        scheme=scheme,
        host=host,
        port=port,
        user=_decoded(user),
        password=checked_password(_decoded(password)),
        database=_decoded(match["path"].removeprefix("/")),
        socket=socket,
        options=options,
    )


def checked_password(password: str) -> str:
    """Return a password that every database program can be told.

    Raises:
        ValueError: it holds control characters, which the programs' own files cannot carry.
    """
    if re.search(r"[\x00-\x1f\x7f]", password):
        raise ValueError("a password without control characters, such as line breaks")
    return password


def _host_and_port(place: str) -> tuple[str, int | None]:
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:]*)(?::(\d*))?", place)
    if match is None:
        raise ValueError(_ENCODE)
    host, port = match[1].strip("[]"), int(match[2] or 0)
    if port > 65535:  # noqa: PLR2004  (ports are 16 bits wide)
        raise ValueError("an address with a port from 1 to 65535")
    return host, port or None


def _options(kind: str, query: str) -> dict[str, str]:
    try:
        options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    except ValueError:
        raise ValueError("an address with options as ?name=value&name=value") from None
    known = _OPTIONS.get(kind)
    for name in options:
        if known is not None and name not in known:
            raise ValueError(f"an address with the options {', '.join(sorted(known))}")
    mode = options.get("sslmode", options.get("ssl-mode"))
    modes = _SSL_MODES.get(kind, set())
    if mode is not None and modes and mode not in modes:
        raise ValueError(f"an address with a mode of TLS from {', '.join(sorted(modes))}")
    if {"sslrootcert", "ssl-ca"} & set(options) and (mode or "") in _UNPROVED and modes:
        strict = "sslmode=verify-full" if kind == "postgresql" else "ssl-mode=verify-identity"
        raise ValueError(
            f"an address that names an authority together with {strict}, or it is "
            "not asked when it matters"
        )
    return options


def _decoded(text: str) -> str:
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise ValueError(_ENCODE)
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("an address with percent-encoded characters of UTF-8") from None
