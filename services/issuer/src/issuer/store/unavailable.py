"""What it looks like when the database can't decide now: nothing is wrong with the request."""

import asyncpg

UNAVAILABLE: tuple[type[Exception], ...] = (
    OSError,  # not reachable; also every timeout of ours
    asyncpg.InterfaceError,  # the connection or the pool was closed
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # it is starting, stopping, or gave the statement up
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,  # a primary that has become a standby
)
