"""Keys in the settings: what each spelling means, and what is refused without a word of the key."""

import base64
import os
import subprocess
import sys
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from app.config import SettingsError, load_settings
from app.jwks.key_pairs import key_pair_id, new_key_pair
from app.jwks.settings import JwksSettings
from tests.helpers import ROOT

PEM, PKCS8 = Encoding.PEM, PrivateFormat.PKCS8


def pem(private: Any, **options: Any) -> str:
    kind = options.get("kind", PKCS8)
    encryption = options.get("encryption", NoEncryption())
    return str(private.private_bytes(PEM, kind, encryption).decode())


def public_pem(private: Any) -> str:
    spki = PublicFormat.SubjectPublicKeyInfo
    return str(private.public_key().public_bytes(PEM, spki).decode())


ED25519 = ed25519.Ed25519PrivateKey.generate()
P256 = ec.generate_private_key(ec.SECP256R1())
MAKE = "keys stage --algorithm EdDSA"

REFUSED = {
    "broken": (pem(ED25519).replace("MC4C", "MC4D"), MAKE),
    "no key": ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", MAKE),
    "cut": (pem(P256)[:90], MAKE),
    "encrypted": (
        pem(ED25519, encryption=BestAvailableEncryption(token_urlsafe().encode())),
        "openssl pkey",
    ),
    "encrypted, old": (
        pem(
            P256,
            kind=PrivateFormat.TraditionalOpenSSL,
            encryption=BestAvailableEncryption(token_urlsafe().encode()),
        ),
        "openssl pkey",
    ),
    "encrypted, of OpenSSH": (
        pem(
            ED25519,
            kind=PrivateFormat.OpenSSH,
            encryption=BestAvailableEncryption(token_urlsafe().encode()),
        ),
        "ssh-keygen -p",
    ),
    "broken, of OpenSSH": (
        "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----",
        MAKE,
    ),
    "public": (public_pem(ED25519), "give the private one"),
    "P-384": (pem(ec.generate_private_key(ec.SECP384R1())), "ES256"),
    "secp256k1": (pem(ec.generate_private_key(ec.SECP256K1())), "ES256"),
    "Ed448": (pem(ed448.Ed448PrivateKey.generate()), "EdDSA"),
    "RSA": (pem(rsa.generate_private_key(65537, 2048)), "EdDSA"),
    "two": (pem(ED25519) + pem(P256), "an entry of its own"),
    "no file": ("keys/there-is-none.pem", "correct the path"),
    "a secret": (token_urlsafe(48), "correct the path"),
    "a directory": (str(ROOT), "correct the path"),
    "another file": (str(ROOT / "alembic.ini"), MAKE),
    "a NUL": ("keys/\x00", "correct the path"),
}


def refused(values: dict[str, str], **changes: str) -> list[tuple[str, str]]:
    with pytest.raises(SettingsError) as caught:
        load_settings(_env_file=None, **{**values, **changes})
    return caught.value.problems


@pytest.mark.parametrize("name", ["jwt_private_keys", "jwt_staged_private_key"])
@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_private_key_for_us_is_refused_and_not_quoted(
    settings_of_tests: dict[str, str], case: str, name: str
) -> None:
    value, fix = REFUSED[case]
    [(setting, problem)] = refused(settings_of_tests, **{name: value})
    assert setting == name.upper()
    assert fix in problem
    words = value.removeprefix("-----BEGIN").split()
    assert not any(word in problem for word in words if len(word) > 7 and word != "PRIVATE")


def test_an_unreadable_file_is_refused(
    settings_of_tests: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key.pem"
    file.write_text(pem(ED25519))

    really_open = Path.open

    def denied(self: Path, *how: Any, **named: Any) -> Any:
        if self == file:
            raise PermissionError(13, "Permission denied")
        return really_open(self, *how, **named)

    monkeypatch.setattr(Path, "open", denied)
    [(_, problem)] = refused(settings_of_tests, jwt_private_keys=str(file))
    assert "nor a file that this user can read" in problem


def test_what_is_no_plain_file_keeps_no_start_waiting(
    settings_of_tests: dict[str, str], tmp_path: Path
) -> None:
    pipe = tmp_path / "key.pem"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDWR)
    os.write(end, b"#" * 20_000)  # so that who reads it all the same is not kept
    for path in (pipe, Path("/dev/zero"), tmp_path):
        [(_, problem)] = refused(settings_of_tests, jwt_private_keys=str(path))
        assert "nor a file that this user can read" in problem
    os.close(end)


def test_a_file_has_a_size(settings_of_tests: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_text("#" * 16_384 + "\n" + pem(ED25519))
    [(_, problem)] = refused(settings_of_tests, jwt_private_keys=str(file))
    assert "is a file of more than 16,384 bytes" in problem


def test_two_keys_with_one_id_are_refused(settings_of_tests: dict[str, str]) -> None:
    one, other = new_key_pair("EdDSA"), new_key_pair("ES256")
    [(_, problem)] = refused(settings_of_tests, jwt_private_keys=f"{one},{other},{one}")
    assert problem.startswith("entries 1 and 3 are the same key")
    [(name, _)] = refused(
        settings_of_tests, jwt_private_keys=f"{other},{one}", jwt_staged_private_key=one
    )
    assert name == "JWT_STAGED_PRIVATE_KEY"
    refused(settings_of_tests, jwt_private_keys="JWT_SECRET,JWT_SECRET")
    refused(settings_of_tests, jwt_staged_private_key="JWT_SECRET")


def test_a_short_service_token_is_refused(settings_of_tests: dict[str, str]) -> None:
    values = settings_of_tests
    [(name, problem)] = refused(values, service_tokens=f"{token_urlsafe(32)},canary-1")
    assert (name, problem.split()[:2]) == ("SERVICE_TOKENS", ["entry", "2"])
    assert "canary" not in problem


def test_what_is_wrong_with_a_part_is_told_with_the_rest(settings_of_tests: dict[str, str]) -> None:
    problems = refused(settings_of_tests, service_tokens="x", bcrypt_cost="99")
    assert {name for name, _ in problems} == {"SERVICE_TOKENS", "BCRYPT_COST"}


@pytest.mark.parametrize("private", [ED25519, P256], ids=["Ed25519", "P-256"])
def test_a_key_is_the_same_however_it_is_spelled(tmp_path: Path, private: Any) -> None:
    text = pem(private)
    (tmp_path / "key.pem").write_text("a comment\n" + text)
    spellings = [
        text,
        text.replace("\n", "\\n"),
        text.replace("\n", ""),
        text.replace("\n", "\r\n"),
        text.replace("\n", "\\r\\n"),
        f" \t{text} \n\n",
        text + public_pem(private),
        public_pem(private) + text,
    ]
    spellings.append(str(tmp_path / "key.pem"))
    of_openssh = pem(private, kind=PrivateFormat.OpenSSH)
    spellings += [of_openssh, of_openssh.replace("\n", "")]
    if private is P256:
        old = pem(private, kind=PrivateFormat.TraditionalOpenSSL)
        parameters = (
            "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
        )
        spellings += [old, parameters + old]
    assert len({key_pair_id(spelling) for spelling in spellings}) == 1


@pytest.mark.parametrize("name", ["jwt_private_keys", "jwt_staged_private_key"])
def test_blanks_around_a_setting_do_not_count(
    settings_of_tests: dict[str, str], tmp_path: Path, name: str
) -> None:
    """As `echo` leaves them at the end of a variable."""
    (tmp_path / "key.pem").write_text(pem(ED25519))
    for value in (f" {tmp_path}/key.pem\n", f"{pem(ED25519)} \n", ""):
        load_settings(_env_file=None, **{**settings_of_tests, name: value})


def test_the_id_is_the_thumbprint_of_rfc_7638() -> None:
    """The key of RFC 8037, appendix A."""
    private = base64.urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
    text = pem(ed25519.Ed25519PrivateKey.from_private_bytes(private))
    assert key_pair_id(text) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_the_settings_do_not_show_them(settings_of_tests: dict[str, str]) -> None:
    pair, token = new_key_pair("EdDSA"), token_urlsafe(32)
    settings = load_settings(
        _env_file=None,
        **{**settings_of_tests, "jwt_private_keys": pair, "service_tokens": token},
    )
    shown = f"{settings.redacted()} {settings!r} {settings.part(JwksSettings)!r}"
    assert "JWT_PRIVATE_KEYS" in shown
    assert pair[30:60] not in shown
    assert token not in shown


def start_without_cryptography(**values: str) -> subprocess.CompletedProcess[str]:
    """As where only requirements.txt is installed."""
    script = "import sys; sys.modules['cryptography'] = None; import app.main"
    environment = {**os.environ, "ENVIRONMENT": "test", "JWT_SECRET": token_urlsafe(48), **values}
    return subprocess.run(  # noqa: S603
        [sys.executable, "-c", script], cwd=ROOT, env=environment, check=False,
        capture_output=True, text=True,
    )  # fmt: skip


def test_without_keys_nothing_is_needed_for_them() -> None:
    assert start_without_cryptography().returncode == 0


def test_a_missing_package_is_named(pairs: dict[str, str]) -> None:
    started = start_without_cryptography(JWT_PRIVATE_KEYS=pairs["EdDSA"])
    assert started.returncode == 1
    assert "JWT_PRIVATE_KEYS: entry 1 needs the package cryptography" in started.stderr
    assert "requirements-jwks.txt" in started.stderr
    assert "Traceback" not in started.stderr
