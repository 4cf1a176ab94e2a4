"""What was raised, as AWS would say it. The only place that turns failures into answers."""

from __future__ import annotations

import errno
import logging

import asyncpg

from controlplane.core.errors import AwsError, EngineError, Overtaken, ServiceUnavailable

log = logging.getLogger("celaje.gateway")

TRY_AGAIN = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
# Two requests wanted the same name, or one deleted what the other was about to use: the second run sees it and says so.
OVERTAKEN = (asyncpg.UniqueViolationError, asyncpg.ForeignKeyViolationError, Overtaken)
_GONE = (
    OSError,
    TimeoutError,
    EngineError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)
# Text that Postgres cannot hold (NUL, lone surrogates) and numbers beyond its columns come from the caller.
_UNSTORABLE = (asyncpg.DataError, UnicodeEncodeError)
_FULL = (errno.ENOSPC, errno.EDQUOT)


def translate(error: Exception) -> AwsError:
    """An AwsError for whatever was raised. A bug is logged with its traceback and told as InternalFailure."""
    if isinstance(error, AwsError):
        if error.detail:
            log.warning("%s: %s", error.code, error.detail)
        return error
    if isinstance(error, asyncpg.DiskFullError) or (isinstance(error, OSError) and error.errno in _FULL):
        log.error("the disk is full: %r", error)
        return AwsError("The disk of this cloud is full.", code="InsufficientStorage", status=507)
    if isinstance(error, (*_GONE, *TRY_AGAIN)) or _connection_closed(error):
        log.warning("unavailable: %r", error)
        return ServiceUnavailable("The service is unavailable. Please try again.")
    if isinstance(error, _UNSTORABLE):
        log.warning("refused by the database: %s", type(error).__name__)
        return AwsError("A parameter holds a value that cannot be stored.", code="InvalidParameterValue")
    log.error("failed", exc_info=error)
    return AwsError(
        "The request processing has failed because of an unknown error, exception or failure.",
        code="InternalFailure",
        status=500,
    )


def _connection_closed(error: Exception) -> bool:
    # asyncpg uses InterfaceError both for lost connections and for wrong use of its API, which is a bug of ours.
    return isinstance(error, asyncpg.InterfaceError) and "clos" in str(error)
