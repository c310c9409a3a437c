"""What the project's own suite is told about the servers around it."""


def test_services(settings: dict[str, str]) -> dict[str, str]:
    """The servers that the suite may use beside its own SQLite, taken from the settings.

    The suite makes a scratch database on the server; it never touches the one that is named.
    """
    found = {}
    if settings.get("DATABASE_URL", "").startswith("postgres"):
        found["TEST_DATABASE_URL"] = settings["DATABASE_URL"]
    if settings.get("REDIS_URL"):
        found["TEST_REDIS_URL"] = settings["REDIS_URL"]
    return {name: settings.get(name, url) for name, url in found.items()}
