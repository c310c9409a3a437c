"""Rate limits: who may ask how often.

slowapi gives the declared `Limit` and `RateLimitExceeded`, which every refusal is. Its decorator
and its middleware are not used: they check after validation, skip included routes, and block the
event loop on each Redis round trip. The counting is done by limits, on which slowapi stands.
"""

from app.foundation.limits.limiter import ACCOUNT, GENERAL, RateLimiter, TooManyRequests
from app.foundation.limits.memory import MemoryStorage
from app.foundation.limits.middleware import HASHING, POLICY, UNLIMITED, RateLimitMiddleware
from app.foundation.limits.redis import REDIS_TIMEOUT_SECONDS, RedisOrMemoryStorage
