"""Why a Redis does not count, and what to do, in a sentence each."""

from typing import Final, NamedTuple

from redis import exceptions

FAILURES: Final = (
    exceptions.RedisError,
    exceptions.RedisClusterException,
    OSError,
    TimeoutError,
)
"""What a Redis that does not count may raise. One that answers PING may still refuse to count."""


class Problem(NamedTuple):
    reason: str
    fix: str


AWAY: Final = Problem(
    "does not answer", "start it, correct REDIS_URL, or empty it for limits in memory"
)

_REPLICA: Final = Problem(
    "is a read-only replica", "name the main server in REDIS_URL, or the sentinels"
)

_FORBIDDEN: Final = Problem(
    "does not let this user count",
    "allow it ~APP_NAME:limits:* and +@read +@write +@scripting +@connection",
)

_BY_CODE: Final = {
    "READONLY": _REPLICA,
    "OOM": Problem(
        "is full (maxmemory)", "give it more memory, or set maxmemory-policy volatile-ttl"
    ),
    "NOPERM": _FORBIDDEN,
    "user executing the script can't run": _FORBIDDEN,
    "ACL failure in script": _FORBIDDEN,
    "CLUSTERDOWN": Problem("is a cluster that is down", "look at it with CLUSTER INFO"),
    "MISCONF": Problem("can't save to its disk and refuses writes", "look at its log"),
    "NOREPLICAS": Problem("has too few replicas and refuses writes", "look at its replicas"),
    "DB index": Problem("has no database of this number", "write /0 at the end of REDIS_URL"),
    "HELLO": Problem("does not know HELLO", "add ?protocol=2 to REDIS_URL"),
    "BUSY": Problem("is kept busy by somebody's script", "end it with SCRIPT KILL"),
    "unknown command": Problem("lacks a command that is needed", "let it run EVALSHA and SCRIPT"),
}
"""By words in the error's text. Some versions put them after a code of scripts."""

_BY_KIND: Final[dict[type[Exception], Problem]] = {
    exceptions.MovedError: Problem("is a node of a cluster", "write redis+cluster:// in REDIS_URL"),
    exceptions.ReadOnlyError: _REPLICA,
    exceptions.OutOfMemoryError: _BY_CODE["OOM"],
    exceptions.NoPermissionError: _FORBIDDEN,
    exceptions.MasterDownError: Problem("is a replica without its main server", "start that one"),
    exceptions.ClusterDownError: _BY_CODE["CLUSTERDOWN"],
    exceptions.BusyLoadingError: Problem("is still loading its data", "wait"),
    exceptions.AuthenticationError: Problem(
        "refuses the password", "correct user and password in REDIS_URL"
    ),
    exceptions.RedisClusterException: Problem(
        "shows no cluster", "start its nodes; of a single server write redis://"
    ),
}

_FULL: Final = "max number of clients reached"
"""All that redis-py leaves of it."""


def problem_of(error: Exception) -> Problem:
    """What an error of Redis means. Its own text may hold what was sent, so it is not shown."""
    for kind, problem in _BY_KIND.items():
        if isinstance(error, kind):
            return problem
    if "previous master is now a slave" in str(error):  # redis-py's READONLY, behind sentinels
        return Problem(_REPLICA.reason, "look at the sentinels: they name a replica")
    if str(error) == _FULL:
        return Problem("takes no more connections (maxclients)", "raise it; look at CLIENT LIST")
    if not isinstance(error, exceptions.ResponseError):
        return AWAY
    for code, problem in _BY_CODE.items():
        if code in str(error):
            return problem
    return Problem("refuses to count", f"look at its log; it says {type(error).__name__}")
