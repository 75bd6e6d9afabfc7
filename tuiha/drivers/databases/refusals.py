"""Why a PostgreSQL node cannot be asked: in a few words for a screen, and as a code.

PostgreSQL's texts are in the language of its administrator. So a code comes from the kind of the error and from the
name of the function that raised it, which are the same in all of them.
"""

from __future__ import annotations

from tuiha.drivers.databases.session import WrongSession
from tuiha.drivers.protocols import DriverError
from tuiha.drivers.reach import cause_of, short, tls_failure, why
from tuiha.model.problems.causes import Cause


def refusal(error: BaseException, user: str, database: str, secure: bool = False) -> DriverError:
    """The error of a driver for one of asyncpg's, or of the network. `secure`: over TLS."""
    return DriverError(explain(error, user, database, secure), database_cause(error))


def database_cause(error: BaseException) -> Cause:
    """Why a session could not be had, or not be used."""
    import asyncpg

    from tuiha.drivers.databases.scram import NotProven

    if tls_failure(error) is not None:
        return cause_of(error)
    if isinstance(error, WrongSession):
        return error.cause
    if isinstance(error, NotProven):
        return Cause.UNPROVEN
    found = next((cause for kind, cause in (
        (asyncpg.InvalidPasswordError, Cause.PASSWORD),
        (asyncpg.InvalidCatalogNameError, Cause.NO_DATABASE),
        (asyncpg.InsufficientPrivilegeError, Cause.RIGHT),
        (asyncpg.LockNotAvailableError, Cause.LOCKED),
        (asyncpg.AdminShutdownError, Cause.STOPPING),
        (asyncpg.ProtocolViolationError, Cause.POOLER),
        (asyncpg.ConnectionDoesNotExistError, Cause.LOST),
    ) if isinstance(error, kind)), None)
    if found is not None:
        return found
    function = getattr(error, "server_source_function", None)
    if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):
        return Cause.NO_LOGIN if function == "InitializeSessionUserId" else Cause.ACCESS
    if isinstance(error, asyncpg.TooManyConnectionsError):
        return {"InitializeSessionUserId": Cause.ROLE_FULL, "CheckMyDatabase": Cause.DATABASE_FULL}.get(
            function or "", Cause.FULL)
    if isinstance(error, asyncpg.CannotConnectNowError):
        return _not_now(error)
    if isinstance(error, ConnectionError) and "rejected SSL upgrade" in str(error):
        return Cause.NO_TLS
    return cause_of(error)


def _not_now(error: BaseException) -> Cause:
    """Which of the reasons that PostgreSQL tells apart in words alone; in another language it is taken for starting."""
    detail = f"{error} {getattr(error, 'detail', '')}"
    if "Hot standby mode is disabled" in detail:
        return Cause.NO_STANDBY
    return Cause.STOPPING if "shutting down" in detail else Cause.STARTING


def explain(error: BaseException, user: str, database: str, secure: bool = False) -> str:
    """Why a node could not be asked, in a few words without secrets. `secure`: over TLS."""
    import asyncpg

    if tls_failure(error) is not None:
        return why(error)
    cause = database_cause(error)
    lost = why(EOFError(), secure)
    known = {
        Cause.PASSWORD: f"password authentication failed for role {user}",
        Cause.ACCESS: f"role {user} is not let in: {short(str(error))}",
        Cause.NO_LOGIN: f"role {user} may not log in",
        Cause.NO_DATABASE: f"database {database} does not exist",
        Cause.RIGHT: f"role {user} lacks a right: {short(str(error))}",
        Cause.LOCKED: "a table of the pool is locked by another session",
        Cause.FULL: "no connection slot is left",
        Cause.ROLE_FULL: f"role {user} has no connection left of its CONNECTION LIMIT",
        Cause.DATABASE_FULL: f"database {database} has no connection left of its CONNECTION LIMIT",
        Cause.NO_STANDBY: "it is a secondary with hot_standby = off: it answers nobody",
        Cause.STOPPING: "the database system is shutting down",
        Cause.NO_TLS: "it speaks no TLS (ssl is off)",
    }
    if cause in known:
        return known[cause]
    broken = (asyncpg.ConnectionDoesNotExistError, asyncpg.InterfaceError)
    return lost if isinstance(error, broken) else why(error, secure)
