"""Key pairs in the ring of access tokens, see `app/accounts/key_rings.py`."""

from app.accounts.key_rings import Key, KeyRing
from app.config import Settings
from app.jwks.key_pairs import SECRET, public_jwk, read_key_pair
from app.jwks.settings import JwksSettings


def access_ring(settings: Settings, secrets: KeyRing) -> KeyRing:
    """The key pairs of the settings; the secrets where they are named among them, or alone."""
    ours = settings.part(JwksSettings)
    entries = [entry.get_secret_value() for entry in ours.jwt_private_keys] or [SECRET]
    if ours.jwt_staged_private_key is not None:
        entries.append(ours.jwt_staged_private_key.get_secret_value())
    keys: list[Key] = []
    for entry in entries:
        keys += secrets.keys if entry == SECRET else [read_key_pair(entry)]
    return KeyRing(*keys)


def public_keys(ring: KeyRing, secrets: KeyRing) -> list[dict[str, str]]:
    """What others verify with: never a secret, which would also sign."""
    return [public_jwk(key) for key in ring.keys if key not in secrets.keys]
