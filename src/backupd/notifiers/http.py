"""What webhook, chat and ping share: one POST request, its status checked, none redirected."""

import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import IO
from urllib.parse import urlsplit

from typing_extensions import override

from backupd import __version__
from backupd.errors import NotifierError

_TIMEOUT = 30.0
_TOO_MANY = 429
_TIMED_OUT = 408
_SERVER_ERROR = 500


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirected POST would arrive as a GET, without what it says."""

    @override
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirects)


def post(
    url: str, body: bytes, headers: Mapping[str, str], *, channel: str, timeout: float = _TIMEOUT
) -> None:
    """Send a POST request and read the answer's status.

    The address may hold a secret: errors name its host only.

    Raises:
        NotifierError: no answer, or one that is not 2xx; permanent for most of 3xx and 4xx.
    """
    hint = f"Check the address of the {channel} channel."
    host = _host(url)
    if not host:
        raise NotifierError(f"The address for {channel} is no web address.", hint=hint)
    request = urllib.request.Request(  # noqa: S310  (http and https only)
        url, data=body, method="POST", headers={"User-Agent": f"backupd/{__version__}", **headers}
    )
    try:
        with _OPENER.open(request, timeout=timeout):
            pass
    except urllib.error.HTTPError as error:
        with error:
            raise NotifierError(
                f"{host} answered {error.code} {error.reason} to {channel}.",
                hint=hint,
                temporary=error.code >= _SERVER_ERROR or error.code in {_TIMED_OUT, _TOO_MANY},
            ) from None  # its text may hold the address
    except OSError as error:
        reason = getattr(error, "reason", None) or error
        raise NotifierError(
            f"{host} cannot be reached for {channel}: {str(reason) or type(error).__name__}.",
            hint=hint,
            temporary=True,
        ) from None
    except (http.client.HTTPException, ValueError) as error:
        raise NotifierError(
            f"{host} gave no HTTP answer to {channel} ({type(error).__name__}).",
            hint=hint,
            temporary=True,
        ) from None


def _host(url: str) -> str:
    """Give the host of an http or https address, or "" if it is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return (parts.hostname or "") if parts.scheme in {"http", "https"} else ""
