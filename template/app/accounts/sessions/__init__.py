"""Sessions: opened by signing in, carried on by refreshing, and ended in every way there is.

A session is a family of refresh tokens with one row, see `models.Session`.
"""

from app.accounts.sessions.current import (
    SessionUser,
    SignedInUser,
    find_signed_in_user,
    fresh_login_required,
    is_live,
    list_sessions,
    lock_signed_in_user,
    lock_user,
)
from app.accounts.sessions.ending import (
    end_credentials,
    revoke,
    revoke_all_sessions,
    revoke_session,
    sign_out,
    sign_out_with_refresh_token,
)
from app.accounts.sessions.opening import (
    MAX_LIVE,
    Device,
    IssuedToken,
    TokenPair,
    issue_access_token,
    make_room,
    open_session,
)
from app.accounts.sessions.refreshing import LOST_RACE_SECONDS, RefreshSuperseded, refresh
