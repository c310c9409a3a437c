"""Rate limits: who may ask how often.

slowapi gives the declared `Limit` and `RateLimitExceeded`, which every refusal is. Its decorator
and its middleware are not used: they check after validation, skip included routes, and block the
event loop on each Redis round trip. The counting is done by limits, on which slowapi stands.
"""

from app.foundation.limits.declaration import general_limit, hashes_password, rate_limit, unlimited
from app.foundation.limits.limiter import (
    HASHES_OF_A_USER,
    HASHES_OF_AN_ADDRESS,
    IN_LINE,
    USER,
    RateLimiter,
    Reservation,
    TooManyRequests,
    new_limit,
)
