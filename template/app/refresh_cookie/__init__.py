"""The refresh token in a cookie, for browsers. This is a part, see docs/browsers.md."""
