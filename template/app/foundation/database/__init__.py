"""The database: one queue in front of it, short sections, and a clear answer when it is away."""

from app.foundation.database.engines import POOL_SIZE, create_engine
from app.foundation.database.outages import (
    DEADLINE_SECONDS,
    StaleConnection,
    WrongDatabase,
    advice,
    is_outage,
    sentence,
)
from app.foundation.database.postgresql import driver_url
from app.foundation.database.sections import Database
from app.foundation.database.start import (
    UnusableDatabase,
    check_at_start,
    connection_shortage,
    write_nothing,
)
from app.foundation.database.types import SECRET, AnyRow, Base, UtcDateTime, utc_now
