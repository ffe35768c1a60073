"""Exceptions of botocore and the network become DestinationErrors here, and only here."""

import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime

from botocore import exceptions as botocore
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import NameResolutionError

from backupd.destinations import s3_advice as advice
from backupd.destinations.s3_advice import Advice
from backupd.errors import DestinationError, ObjectNotFoundError
from backupd.ports import Clock

_SERVER_ERROR = 500
_NOT_FOUND = 404
_NOT_FOUND_CODES = frozenset({"NoSuchKey", "NoSuchUpload", "404", "NoSuchVersion"})
_LONGEST_SAYING = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was being asked of whom when something failed."""

    destination: str
    bucket: str
    where: str
    """The server's host and port."""
    operation: str
    """The client's method, such as `put_object`."""
    key: str = ""


@contextmanager
def translated(request: Request, clock: Clock) -> Iterator[None]:
    """Raise DestinationError, or ObjectNotFoundError, for everything that the library raises.

    Never hold it open around a `yield` to a caller, whose own errors would be translated too.
    """
    try:
        yield
    except CancelledError as error:
        raise error.__cause__ or error from None
    except ClientError as error:
        raise _from_answer(error, request, clock) from error
    except (BotoCoreError, ResponseParserError, ValueError) as error:
        raise _worded(_from_library(error), request, said=str(error)) from error


def code_of(error: DestinationError) -> str:
    """Return the code of the server's answer that led to an error; "" if there was no answer."""
    if isinstance(error.__cause__, ClientError):
        return str(error.__cause__.response.get("Error", {}).get("Code", ""))
    return ""


def _from_answer(error: ClientError, request: Request, clock: Clock) -> DestinationError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    said = str(error.response.get("Error", {}).get("Message") or "no reason given")
    answer = error.response.get("ResponseMetadata", {})
    status = int(answer.get("HTTPStatusCode", 0))
    headers: Mapping[str, str] = answer.get("HTTPHeaders", {})
    found = advice.BY_CODE.get(code)
    if found is advice.NO_PERMISSION and "object lock" in said:  # S3 and Ceph have no code for it
        found = advice.LOCKED
    if found is None and (code in _NOT_FOUND_CODES or status == _NOT_FOUND):
        if request.key:
            return ObjectNotFoundError(f"There is no {request.key} at '{request.destination}'.")
        found = advice.NO_BUCKET
    if found is None and code.startswith("KMS."):
        found = advice.KMS_KEY
    if found is None and status >= _SERVER_ERROR:
        found = advice.SERVER_TROUBLE
    region = headers.get("x-amz-bucket-region") or error.response.get("Error", {}).get("Region")
    return _worded(
        found or advice.REFUSED,
        request,
        said=said,
        code=code or str(status),
        region=f", {region}" if region else "",
        skew=_skew(headers.get("date", ""), clock),
    )


def _from_library(error: Exception) -> Advice:  # noqa: PLR0911  (a table)
    match error:
        case botocore.NoCredentialsError() | botocore.PartialCredentialsError():
            return advice.NO_CREDENTIALS
        case (
            botocore.ProfileNotFound()
            | botocore.CredentialRetrievalError()
            | botocore.TokenRetrievalError()
            | botocore.NoAuthTokenError()
            | botocore.SSOError()
            | botocore.ConfigParseError()
            | botocore.ConfigNotFound()
        ):
            return advice.BAD_CREDENTIALS
        case botocore.SSLError():
            return advice.NOT_TLS if "WRONG_VERSION_NUMBER" in str(error) else advice.TLS
        case botocore.ReadTimeoutError() | botocore.ConnectTimeoutError():
            return advice.TIMED_OUT
        case botocore.EndpointConnectionError():
            return _from_connecting(error.kwargs.get("error"))
        case botocore.ProxyConnectionError() | botocore.ConnectionError():
            return advice.UNREACHABLE
        case botocore.HTTPClientError() | botocore.IncompleteReadError():
            return advice.CUT_OFF
        case botocore.ChecksumError() | botocore.FlexibleChecksumError():
            return advice.ARRIVED_DAMAGED
        case ResponseParserError():
            return advice.UNREADABLE_ANSWER
    return advice.BAD_SETTINGS


def _from_connecting(cause: object) -> Advice:
    if isinstance(cause, NameResolutionError | socket.gaierror):
        return advice.NO_NAME
    return advice.CONNECTION_REFUSED if "refused" in str(cause) else advice.UNREACHABLE


def _worded(found: Advice, request: Request, *, said: str, **words: str) -> DestinationError:
    known = {
        "action": advice.IAM_ACTIONS.get(request.operation, "s3:*"),
        "bucket": request.bucket,
        "where": request.where,
        "operation": request.operation,
        "key": request.key,
        "said": " ".join(said.split())[:_LONGEST_SAYING].rstrip("."),
        "code": "",
        "region": "",
        "skew": "",
    } | words
    return DestinationError(
        f"'{request.destination}': {found.sentence.format_map(known)}.",
        hint=found.hint.format_map(known),
        temporary=found.temporary,
    )


def _skew(date: str, clock: Clock) -> str:
    """Say how far this machine's clock is from the `Date` of the server's answer."""
    try:
        ahead = clock.now() - parsedate_to_datetime(date)
    except ValueError:
        return "far from"
    minutes = round(abs(ahead) / timedelta(minutes=1))
    return f"{minutes} minutes {'ahead of' if ahead > timedelta() else 'behind'}"
