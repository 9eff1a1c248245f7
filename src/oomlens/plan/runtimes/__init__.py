"""Runtimes and servers beside the JVM: a file each, a line below."""

from __future__ import annotations

from oomlens.plan.runtimes import dotnet, glibc, go, mysql, node, postgresql, redis
from oomlens.plan.runtimes.row import Row

ROWS: tuple[Row, ...] = (
    dotnet.ROW,
    glibc.ROW,
    go.ROW,
    mysql.ROW,
    node.ROW,
    postgresql.ROW,
    redis.ROW,
)
BY_NAME = {row.name: row for row in ROWS}
