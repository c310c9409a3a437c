"""How DATABASE_URL is written: which parameters are understood, and what to write instead of
others."""

import re
import ssl
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlsplit

_HOST: Final = r"(?:[^\[\]:@/?#,]*|\[[0-9A-Fa-f:.%]+\])(?::[0-9]{1,5})?"
_POSTGRESQL: Final = re.compile(
    rf"postgres(?:ql)?(?:\+\w+)?://(?=.)(?:[^@/?#]*@)?{_HOST}(?:,{_HOST})*(?:[/?].*)?"
)
"""With one host or several. A password's @ : / ? # end it early, unless they are encoded."""

_DRIVER: Final = re.compile(
    r"host|port|dbname|database|user|password|passfile|service|krbsrvname|gsslib"
    r"|sslmode|sslcert|sslkey|sslrootcert|sslcrl|sslpassword|sslnegotiation"
    r"|ssl_min_protocol_version|ssl_max_protocol_version|target_session_attrs"
)
"""What asyncpg reads."""

_IGNORED: Final = re.compile(
    r"channel_binding|connect_timeout|gssencmode|keepalives\w*|sslsni|tcp_user_timeout|pgbouncer"
)
"""What is for libpq or Prisma, and left out: see `driver_url`."""

_SERVER: Final = re.compile(
    r"application_name|options|search_path|timezone|default_transaction_\w+|\w+_timeout"
    r"|work_mem|jit|plan_cache_mode|synchronous_commit|[a-z]\w*\.\w+"
)
"""What PostgreSQL itself sets for a connection; an extension's settings have a dot."""

_INSTEAD: Final = {
    "schema": "search_path=NAME",
    "currentSchema": "search_path=NAME",
    "connection_limit": "nothing; set DATABASE_POOL_SIZE",
    "pool_size": "nothing; set DATABASE_POOL_SIZE",
    "max_overflow": "nothing; set DATABASE_POOL_SIZE",
    "pool_timeout": "nothing; a request waits 2 s for a connection",
    "socket_timeout": "statement_timeout=MILLISECONDS",
    "command_timeout": "statement_timeout=MILLISECONDS",
    "ssl": "sslmode=require",
    "sslaccept": "sslmode=require, or sslmode=verify-full",
    "sslidentity": "sslcert=FILE and sslkey=FILE",
    "sslfactory": "sslmode=require, or sslmode=verify-full",
    "statement_cache_size": "nothing; a pooler is noticed, or said with pgbouncer=true",
    "prepared_statement_cache_size": "nothing; a pooler is noticed, or said with pgbouncer=true",
    "statement_cache_mode": "nothing; a pooler is noticed, or said with pgbouncer=true",
    "client_encoding": "nothing; it is UTF8",
}

_VALUES: Final = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": ("postgres", "direct"),
    "target_session_attrs": (
        "any",
        "primary",
        "standby",
        "read-write",
        "read-only",
        "prefer-standby",
    ),
}

_FILES: Final = ("sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile")


def check_database_url(url: str) -> str:
    """Accept what the drivers understand, with the scheme that this API uses.

    Raises:
        ValueError: naming the parameter, and what to write instead; never its value.
    """
    if _POSTGRESQL.fullmatch(url):
        _check_parameters(url)
        return re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", url)
    if re.match(r"sqlite(\+\w+)?:///(?!:memory:).", url):
        query = dict(parse_qsl(url.partition("?")[2], keep_blank_values=True))
        if query and "uri" not in query:  # the driver passes over them
            raise ValueError(
                "has parameters that SQLite reads only beside uri=true; leave them out"
            )
        return re.sub(r"^sqlite(\+\w+)?://", "sqlite://", url)
    raise ValueError(
        'write "postgresql://user:password@host:5432/name" or "sqlite:///./app.db" (a file); '
        "in a password, write @ / ? # as %40 %2F %3F %23"
    )


def _check_parameters(url: str) -> None:
    query = urlsplit(url).query
    try:
        parameters = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        parameters = [("", "")]
    for name, value in parameters:
        _check_name(name)
        if name in _VALUES and value not in _VALUES[name]:
            raise ValueError(f"has another {name} than {', '.join(_VALUES[name])}")
        if name in _FILES and not Path(value).expanduser().is_file():
            raise ValueError(f"names a file with {name} that is not there; name one that is")
    _check_certificate(dict(parameters).get("sslrootcert"))


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z][\w.]{0,63}", name, re.ASCII):
        raise ValueError('has something after its "?" that is no parameter; write "?name=value"')
    if name in _INSTEAD:
        raise ValueError(f"has a parameter that is not understood: {name}; write {_INSTEAD[name]}")
    if not any(known.fullmatch(name) for known in (_DRIVER, _IGNORED, _SERVER)):
        raise ValueError(f"has a parameter that is not understood: {name}; leave it out")


def _check_certificate(file: str | None) -> None:
    try:
        if file is not None:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except OSError:
        raise ValueError(
            "names a file with sslrootcert that holds no certificates; name one in PEM"
        ) from None
