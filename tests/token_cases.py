"""The ways a token can be wrong, each with the verdict that `authkit token decode` must give.

The tests judge every case; `python -m tests.token_cases` writes them, as judged, into
docs/token-decode.md, and a test sees to it that this has been done.
"""

import base64
import hashlib
import hmac
import io
import json
import os
import sys
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from unittest import mock

from authkit import cli

DOCUMENT: Final = Path(__file__).parent.parent / "docs" / "token-decode.md"
START, END = "<!-- cases -->\n", "<!-- /cases -->\n"

SECRET: Final = "the-signing-secret-of-the-example-project"
EARLIER: Final = "the-signing-secret-before-the-rotation"
FOREIGN: Final = "a-secret-that-the-project-has-never-seen"
AT: Final = 1_769_860_800  # 2026-01-31 12:00:00 UTC
USER: Final = "11111111-1111-4111-8111-111111111111"
SESSION: Final = "22222222-2222-4222-8222-222222222222"
TOKEN_ID: Final = "33333333-3333-4333-8333-333333333333"
ENV: Final = (
    f"JWT_SECRET={SECRET}\nJWT_PREVIOUS_SECRETS={EARLIER}\nJWT_ISSUER=myapi\nJWT_AUDIENCE=myapi\n"
)

PERSONAL: Final = f"authkit_pat_{'A' * 43}{zlib.crc32(b'authkit_pat_' + b'A' * 43):08x}"

JsonObject = dict[str, Any]


def encode(data: bytes | JsonObject) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def key_id(secret: str) -> str:
    return hashlib.sha256(b"kid:" + secret.encode()).hexdigest()[:16]


def header(**changes: Any) -> JsonObject:
    """The project's header; a change to `...` leaves the field out."""
    fields = {"alg": "HS256", "typ": "at+jwt", "kid": key_id(SECRET)} | changes
    return {name: value for name, value in fields.items() if value is not ...}


def claims(**changes: Any) -> JsonObject:
    """The project's claims; a change to `...` leaves the claim out."""
    fields = {
        "iss": "myapi",
        "aud": "myapi",
        "sub": USER,
        "sid": SESSION,
        "jti": TOKEN_ID,
        "iat": AT - 180,
        "exp": AT + 720,
    } | changes
    return {name: value for name, value in fields.items() if value is not ...}


def signed(
    head: JsonObject | bytes | None = None,
    body: JsonObject | bytes | None = None,
    *,
    secret: str = SECRET,
    hash_name: str = "sha256",
) -> str:
    """A token with a right signature over whatever header and payload it is given."""
    parts = [encode(header() if head is None else head), encode(claims() if body is None else body)]
    signature = hmac.digest(secret.encode(), ".".join(parts).encode(), hash_name)
    return ".".join([*parts, encode(signature)])


def padded() -> str:
    """Padded with `=`, as some issuers do, and signed as it is written."""
    signing_input = f"{encode(header())}=.{encode(claims())}"
    return (
        f"{signing_input}.{encode(hmac.digest(SECRET.encode(), signing_input.encode(), 'sha256'))}"
    )


def with_signature(signature: str, head: JsonObject | None = None) -> str:
    return f"{encode(header() if head is None else head)}.{encode(claims())}.{signature}"


GOOD: Final = signed()
HEAD, BODY, SIGNATURE = GOOD.split(".")
LAST: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def next_letter(text: str) -> str:
    """The same bytes with a bit set that belongs to none of them."""
    return text[:-1] + LAST[LAST.index(text[-1]) + 1]


@dataclass(frozen=True)
class Case:
    """A token, how it is asked about, and what must be said: verdict, exit code, finding."""

    title: str
    text: str
    verdict: str
    exit_code: int
    finding: str
    args: tuple[str, ...] = ()
    status: JsonObject | None = None
    inside: bool = True


def malformed(title: str, text: str) -> Case:
    return Case(title, text, "MALFORMED", 2, "malformed")


def invalid(title: str, text: str, finding: str, **how: Any) -> Case:
    return Case(title, text, "INVALID", 5, finding, **how)


def status(session: JsonObject | None = None, *, active: bool = True) -> JsonObject:
    """An answer of `app.manage token status`."""
    user = {"id": USER, "email": "ada@example.com", "role": "user", "isActive": active}
    row = {
        "id": SESSION,
        "createdAt": "2026-01-31T09:00:00Z",
        "expiresAt": "2026-02-07T09:00:00Z",
        "revokedAt": None,
        "revokedReason": None,
    }
    return {"user": user, "session": row | (session or {})}


REVOKED: Final = {"revokedAt": "2026-01-31T11:57:00Z", "revokedReason": "logout"}

NOT_A_TOKEN: Final = [
    malformed("nothing at all", ""),
    malformed("an opaque token, an API key", "5cKgVv0pQx2"),
    malformed("a personal access token", PERSONAL),
    malformed("a personal access token, cut", PERSONAL[:-1]),
    malformed("the header alone", HEAD),
    malformed("the signature and its dot cut off", f"{HEAD}.{BODY}"),
    malformed("four parts", f"{GOOD}.{SIGNATURE}"),
    malformed(
        "five parts: encrypted (JWE)",
        f"{encode({'alg': 'dir', 'enc': 'A256GCM'})}..aXY.dGV4dA.dGFn",
    ),
    malformed(
        "the whole answer of a login",
        json.dumps({"accessToken": GOOD, "refreshToken": signed(header(typ="rt+jwt"))}),
    ),
    malformed("plain base64 in the header", f"+{HEAD}.{BODY}.{SIGNATURE}"),
    malformed("a space inside", f"{HEAD}.{BODY[:9]} {BODY[9:]}.{SIGNATURE}"),
    malformed("a payload cut short", f"{HEAD}.{encode(b'{}')}ab.{SIGNATURE}"),
    malformed("no payload", f"{HEAD}..{SIGNATURE}"),
    malformed("a payload that is not UTF-8", signed(body=b"\xff\xfe")),
    malformed("a payload that is not JSON", signed(body=b"sub=ada")),
    malformed("a payload that is an array", signed(body=b"[1, 2]")),
    malformed("a header that is a text", signed(b'"HS256"')),
    malformed(
        "a payload nested 40 levels deep", signed(body=b'{"a":' + b"[" * 40 + b"]" * 40 + b"}")
    ),
    malformed("header and payload both broken", f"e30!.{encode(b'null')}.{SIGNATURE}"),
]

WRONG_SIGNATURE: Final = [
    invalid("signed with another secret", signed(secret=FOREIGN), "signature"),
    invalid(
        "a claim changed afterwards",
        f"{HEAD}.{encode(claims(sub=SESSION))}.{SIGNATURE}",
        "signature",
    ),
    invalid("no signature after the last dot", f"{HEAD}.{BODY}.", "signature-empty"),
    invalid("the signature cut by a few bytes", GOOD[:-7], "signature"),
    invalid("the signature cut by two characters", GOOD[:-2], "signature-encoding"),
    invalid("the signature padded with =", f"{GOOD}=", "signature-padded"),
    invalid("the signature's unused bits set", next_letter(GOOD), "signature-encoding"),
    invalid("a signature that is not base64url", with_signature("n/a!"), "signature-encoding"),
]

WRONG_ALGORITHM: Final = [
    invalid("alg none, unsigned", with_signature("", header(alg="none")), "alg-none"),
    invalid("alg nOnE, with a signature", signed(header(alg="nOnE")), "alg-none"),
    invalid("no alg", signed(header(alg=...)), "no-alg"),
    invalid("alg is a list", signed(header(alg=["HS256"])), "alg-type"),
    invalid(
        "HS384 with the right secret",
        signed(header(alg="HS384"), hash_name="sha384"),
        "alg-refused",
    ),
    invalid(
        "RS256, by a key of its own", with_signature("AAAA", header(alg="RS256")), "alg-refused"
    ),
    invalid(
        "HS256 with the public key as secret (--key a PEM)",
        "@confused.txt",
        "alg-refused",
        args=("--key", "@public.pem"),
    ),
]

WRONG_HEADER: Final = [
    invalid(
        "a kid that no key has", signed(header(kid=key_id(FOREIGN)), secret=FOREIGN), "kid-unknown"
    ),
    invalid("the kid of another key", signed(header(kid=key_id(EARLIER))), "kid-wrong"),
    invalid("no kid", signed(header(kid=...)), "kid-missing"),
    invalid("a kid that is a number", signed(header(kid=7)), "kid-type"),
    invalid("a kid that is a path", signed(header(kid="../../dev/null"), secret=""), "kid-unknown"),
    invalid("a kid of 10,000 characters", signed(header(kid="k" * 10_000)), "kid-unknown"),
    invalid(
        "a key of its own (jwk, jku, x5u)", signed(header(jwk={"kty": "oct"})), "key-in-header"
    ),
    invalid("a critical extension (crit)", signed(header(crit=["exp"])), "crit"),
    invalid(
        "a header field that the project does not use", signed(header(cty="JWT")), "header-field"
    ),
    invalid("no typ", signed(header(typ=...)), "typ"),
    invalid("another typ", signed(header(typ="JWT")), "typ"),
    invalid("a header padded with =", padded(), "padded"),
    invalid("more than 2,048 characters", signed(body=claims(note="n" * 2_048)), "too-long"),
]

WRONG_CLAIMS: Final = [
    invalid("expired", signed(body=claims(iat=AT - 1_080, exp=AT - 180)), "expired"),
    invalid("expired this very second", signed(body=claims(exp=AT)), "expired"),
    invalid("not valid yet (nbf)", signed(body=claims(nbf=AT + 60)), "not-yet"),
    invalid("issued in the future (iat)", signed(body=claims(iat=AT + 60)), "issued-later"),
    invalid("another issuer", signed(body=claims(iss="staging")), "iss"),
    invalid("another audience", signed(body=claims(aud="billing")), "aud"),
    invalid("several audiences", signed(body=claims(aud=["myapi", "billing"])), "claim-type"),
    invalid("no exp", signed(body=claims(exp=...)), "claim-missing"),
    invalid("exp is null", signed(body=claims(exp=None)), "claim-missing"),
    invalid("exp is a text", signed(body=claims(exp=str(AT + 720))), "claim-type"),
    invalid("exp is true", signed(body=claims(exp=True)), "claim-type"),
    invalid("exp is a fraction", signed(body=claims(exp=AT + 0.5)), "claim-type"),
    invalid("exp in milliseconds", signed(body=claims(exp=(AT + 720) * 1000)), "claim-type"),
    invalid("exp is NaN", signed(body=claims(exp=float("nan"))), "claim-type"),
    invalid("exp has 5,000 digits", signed(body=b'{"exp": ' + b"9" * 5_000 + b"}"), "claim-type"),
    invalid("sub is a number", signed(body=claims(sub=1)), "claim-type"),
    invalid("sub is not a UUID", signed(body=claims(sub="ada")), "claim-type"),
    invalid(
        "several things at once: expired, another issuer, another secret",
        signed(body=claims(iat=AT - 1_080, exp=AT - 180, iss="staging"), secret=FOREIGN),
        "signature",
    ),
]

WRONG_SESSION: Final = [
    invalid("logged out", GOOD, "session-revoked", args=("--online",), status=status(REVOKED)),
    invalid(
        "the session is over",
        GOOD,
        "session-expired",
        args=("--online",),
        status=status({"expiresAt": "2026-01-31T11:00:00Z"}),
    ),
    invalid(
        "the session is gone from the database",
        GOOD,
        "session-unknown",
        args=("--online",),
        status=status() | {"session": None},
    ),
    invalid(
        "the user is deactivated",
        GOOD,
        "user-inactive",
        args=("--online",),
        status=status(active=False),
    ),
    invalid(
        "the user is deleted",
        GOOD,
        "user-unknown",
        args=("--online",),
        status={"user": None, "session": None},
    ),
]

NOT_WRONG: Final = [
    Case("nothing is wrong", GOOD, "VERIFIED", 0, ""),
    Case("nothing, and the database agrees", GOOD, "VERIFIED", 0, "", ("--online",), status()),
    Case(
        "signed with an earlier secret",
        signed(header(kid=key_id(EARLIER)), secret=EARLIER),
        "VERIFIED",
        0,
        "",
    ),
    Case("a refresh token", signed(header(typ="rt+jwt")), "VERIFIED", 0, "refresh-token"),
    Case(
        "expired for less than --leeway",
        signed(body=claims(exp=AT - 5)),
        "VERIFIED",
        0,
        "",
        ("--leeway", "10"),
    ),
    Case(
        "a name twice",
        signed(body=json.dumps(claims()).replace("{", '{"exp": 1, ').encode()),
        "VERIFIED",
        0,
        "spelling",
    ),
    Case(
        "a header padded with =, elsewhere (--key)",
        padded(),
        "VERIFIED",
        0,
        "spelling",
        ("--key", "env:PROJECT_SECRET"),
        inside=False,
    ),
    Case("valid for a year", signed(body=claims(exp=AT + 31_536_000)), "VERIFIED", 0, "long-life"),
    Case(
        "an e-mail address inside",
        signed(body=claims(email="ada@example.com")),
        "VERIFIED",
        0,
        "personal-data",
    ),
    Case(
        "a password hash inside",
        signed(body=claims(pw="$2b$12$" + "x" * 53)),
        "VERIFIED",
        0,
        "secret",
    ),
    Case("outside a project, without --key", GOOD, "UNVERIFIED", 5, "no-key", inside=False),
    Case(
        "outside a project, expired",
        signed(body=claims(iat=AT - 1_080, exp=AT - 180)),
        "INVALID",
        5,
        "expired",
        inside=False,
    ),
    Case("only to be shown", GOOD, "UNVERIFIED", 0, "not-asked", ("--no-verify",), inside=False),
    Case(
        "a short secret (--key env:NAME)",
        signed(secret="short"),
        "VERIFIED",
        0,
        "weak-key",
        ("--key", "env:SHORT_SECRET"),
        inside=False,
    ),
    Case(
        "never expires (--key)",
        signed(body={"sub": "ada"}),
        "VERIFIED",
        0,
        "no-exp",
        ("--key", "env:PROJECT_SECRET"),
        inside=False,
    ),
]

SECTIONS: Final[Mapping[str, list[Case]]] = {
    "Not a token": NOT_A_TOKEN,
    "The signature does not fit": WRONG_SIGNATURE,
    "The algorithm is not the key's": WRONG_ALGORITHM,
    "The header is not the project's": WRONG_HEADER,
    "The claims are wrong": WRONG_CLAIMS,
    "The database knows better (`--online`)": WRONG_SESSION,
    "Not wrong, or not known": NOT_WRONG,
}
CASES: Final = [case for cases in SECTIONS.values() for case in cases]


@dataclass(frozen=True)
class Answer:
    """How the command line ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def report(self) -> JsonObject:
        report = json.loads(self.out)
        assert isinstance(report, dict)
        return report

    @property
    def findings(self) -> list[JsonObject]:
        return [*self.report["reasons"], *self.report.get("warnings", [])]


def make_project(root: Path) -> Path:
    """As much of a project as `token decode` needs: a marker and settings, no environment."""
    root.mkdir()
    (root / ".copier-answers.yml").write_text("_commit: v0.1.0\n")
    (root / ".env").write_text(ENV)
    pem = public_key()
    (root / "public.pem").write_text(pem)
    confused = signed(header(kid=...), secret=pem)
    (root / "confused.txt").write_text(confused)
    return root


def public_key() -> str:
    """A public key in PEM, made on the spot."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public = Ed25519PrivateKey.generate().public_key()
    return public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


@contextmanager
def surroundings(directory: Path, env: Mapping[str, str]) -> Iterator[None]:
    keep = {name: value for name, value in os.environ.items() if not name.startswith("JWT_")}
    with chdir(directory), mock.patch.dict(os.environ, keep | dict(env), clear=True):
        yield


class Screen(io.TextIOWrapper):
    """Standard output or error that calls itself a terminal."""

    def isatty(self) -> bool:
        return True


def run(
    *args: str, directory: Path, stdin: bytes = b"", screen: bool = False, **env: str
) -> Answer:
    """The whole command line, in this process: thousands of tokens need no process each."""
    kind = Screen if screen else io.TextIOWrapper
    out, err = (kind(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    code = 0
    with (
        surroundings(directory, env),
        mock.patch.object(sys, "argv", ["authkit", *args]),
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin))),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            cli.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
    texts = []
    for stream in (out, err):
        stream.seek(0)
        texts.append(stream.read())
    return Answer(code, *texts)


def judge(case: Case, project: Path, outside: Path, *args: str, screen: bool = False) -> Answer:
    """What the command line says about a case."""
    answer = mock.patch("authkit.project.project.Project.manage", return_value=case.status)
    with answer:
        return run(
            *("token", "decode", "--at", str(AT), *case.args, *args),
            *([case.text] if case.text.startswith("@") else []),
            directory=project if case.inside else outside,
            stdin=case.text.encode(),
            screen=screen,
            SHORT_SECRET="short",
            PROJECT_SECRET=SECRET,
        )


def table(project: Path, outside: Path) -> str:
    """Every case as it was judged just now, in Markdown."""
    lines: list[str] = []
    for title, cases in SECTIONS.items():
        lines += [f"\n### {title}\n", "| the token | verdict | exit | what it says |"]
        lines += ["| --- | --- | --- | --- |"]
        for case in cases:
            answer = judge(case, project, outside, "--json")
            said = "<br>".join(_cell(finding["message"]) for finding in answer.findings)
            verdict = answer.report["verdict"]
            lines.append(f"| {_cell(case.title)} | {verdict} | {answer.code} | {said or '–'} |")
    return "\n".join(lines) + "\n\n"


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def document(project: Path, outside: Path) -> str:
    """docs/token-decode.md as it should be."""
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(START)
    after = rest.partition(END)[2]
    return before + START + table(project, outside) + END + after


def main() -> None:
    with tempfile.TemporaryDirectory() as outside:
        project = make_project(Path(outside) / "myapi")
        DOCUMENT.write_text(document(project, Path(outside)), encoding="utf-8")


if __name__ == "__main__":
    main()
