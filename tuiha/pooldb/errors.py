"""Errors of a connection, as asyncpg raises them, by their meaning for the pool."""

from __future__ import annotations

import asyncpg

# The database refuses a statement or a log-in, or ends the session and says why.
DatabaseError = asyncpg.PostgresError
# It refuses a statement because its schema is of an earlier version.
NoTable = asyncpg.UndefinedTableError
NoColumn = asyncpg.UndefinedColumnError
NoFunction = asyncpg.UndefinedFunctionError

# The configuration or a setting of the database has to be corrected.
WrongLogin = asyncpg.InvalidAuthorizationSpecificationError
WrongDatabaseName = asyncpg.InvalidCatalogNameError
NoRight = asyncpg.InsufficientPrivilegeError
# The database is starting or stopping.
NotNow = asyncpg.CannotConnectNowError
# Others hold what a transaction wants; it may be tried again.
LOCKED = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
# The statement as such is not possible, or takes too long.
NOT_POSSIBLE = (asyncpg.IntegrityConstraintViolationError, asyncpg.QueryCanceledError)

# The connection is of no use any more; a new one may be.
BROKEN = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
)
# A failing, fenced, demoted or restarting database, as a pool server sees it. All of it may pass.
LOST = (
    *BROKEN,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,  # a deadlock's victim: rolled back, to be done again
)
# The same, or a refusal for good.
FAILED = (*LOST, DatabaseError)
# A look at a database that only reads has no answer.
UNREAD = (OSError, DatabaseError, asyncpg.InterfaceError)
