"""What models are made of."""

from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from sqlalchemy import JSON, DateTime, Dialect, MetaData, Row
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


SECRET: Final = {"secret": True}  # nosec B105
"""The `info` of a column that no export shows, such as a hash."""

AnyRow: TypeAlias = Row[*tuple[Any, ...]]


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC, on SQLite too, which stores no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)


@compiles(JSON, "sqlite")
def _text_of_json(_type: JSON, _compiler: Any, **_options: Any) -> str:
    """A column that SQLite hears called JSON makes a float of a number that stands alone."""
    return "TEXT"


def utc_now() -> datetime:
    return datetime.now(UTC)
