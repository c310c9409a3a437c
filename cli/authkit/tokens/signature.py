"""Does the signature fit, and if not, why not (RFC 7515 §5.2, RFC 8725 §3)."""

import base64
import binascii
import hmac
from collections.abc import Iterator, Sequence
from typing import Any

from authkit.terminal.safe_text import excerpt
from authkit.tokens.findings import Finding, Rules, shown
from authkit.tokens.keys import HASHES, Key
from authkit.tokens.parts import BASE64URL, JsonObject, encode_base64url
from authkit.tokens.text import Token


def signature_problems(
    token: Token, keys: Sequence[Key], rules: Rules | None = None
) -> tuple[Key | None, list[Finding]]:
    """The key that the signature fits, and everything that is wrong with signature or algorithm."""
    problems = [*_algorithm_problems(token.header.get("alg"))]
    signature, spelling = _read_signature(token.signature)
    problems += spelling
    if not keys:
        return None, problems
    candidates, kid_problems = _keys_by_id(token.header, keys, rules)
    problems += kid_problems
    fitting = _fitting_key(token, keys, signature)
    if fitting is None or fitting not in candidates:
        problems += _mismatch(token, keys, candidates, signature, fitting)
    return fitting, problems


def _algorithm_problems(algorithm: Any) -> Iterator[Finding]:
    if algorithm is None:
        yield Finding("no-alg", "the header has no alg, so nothing says how it was signed")
    elif not isinstance(algorithm, str):
        yield Finding("alg-type", f"the header's alg is {shown(algorithm)}, not a text")
    elif algorithm.lower() == "none":
        yield Finding(
            "alg-none",
            f"alg is {shown(algorithm)}: it is unsigned, anybody can have written it "
            "(RFC 8725 §3.2)",
        )


def _read_signature(text: str) -> tuple[bytes | None, list[Finding]]:
    """The signature's bytes where they can be told, and what is wrong with its spelling."""
    if not text:
        return None, [Finding("signature-empty", "the signature is empty: the token is unsigned")]
    bare = text.rstrip("=")
    problems = []
    if bare != text:
        problems.append(
            Finding(
                "signature-padded",
                'the signature is padded with "="; in a token it must not be (RFC 7515 §2)',
            )
        )
    if not BASE64URL.fullmatch(bare):
        problems.append(Finding("signature-encoding", "the signature is not base64url"))
        return None, problems
    if len(bare) % 4 == 1:
        cut = f"the signature's {len(bare)} characters can't be whole bytes; it was cut or extended"
        return None, [*problems, Finding("signature-encoding", cut)]
    signature = _decode(bare)
    if encode_base64url(signature) != bare:
        problems.append(
            Finding(
                "signature-encoding",
                f'the signature ends in "{bare[-1]}", which carries bits that belong to no byte; '
                f'written properly it ends in "{encode_base64url(signature)[-1]}" (RFC 4648 §3.5)',
            )
        )
    return signature, problems


def _decode(bare: str) -> bytes:
    return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))


def _keys_by_id(
    header: JsonObject, keys: Sequence[Key], rules: Rules | None
) -> tuple[list[Key], list[Finding]]:
    """The keys that the token may be signed with, by its `kid`: an exact match, never a lookup."""
    kid = header.get("kid")
    if "kid" not in header:
        return list(keys), []
    if not isinstance(kid, str):
        return list(keys), [Finding("kid-type", f"the header's kid is {shown(kid)}, not a text")]
    named = [key for key in keys if key.kid == kid]
    nameless = [key for key in keys if key.kid is None]
    if named or nameless:
        return named or nameless, []
    return [], [_unknown(kid, ", ".join(str(key) for key in keys[:5]), rules)]


def _unknown(kid: str, known: str, rules: Rules | None) -> Finding:
    """A key that is not among those of this kind of token."""
    if rules and kid in rules.others:
        other = f"the key {shown(kid)} ({rules.others[kid]}) is not for tokens of this typ"
        return Finding("kid-other-typ", f"{other}; known: {known}")
    if rules and kid in rules.retired:
        date = excerpt(rules.retired[kid], 40)
        gone = f"the key {shown(kid)} was retired or removed, at {date} or by hand since"
        return Finding("kid-retired", f"{gone}; known: {known}")
    return Finding(
        "kid-unknown",
        f"no key is called {shown(kid)}; known: {known}. The key was removed, or the token "
        "comes from another environment",
    )


def _fitting_key(token: Token, keys: Sequence[Key], signature: bytes | None) -> Key | None:
    algorithm = token.header.get("alg")
    if signature is None or not isinstance(algorithm, str):
        return None
    return next(
        (
            key
            for key in keys
            if algorithm in key.algorithms and key.verify(algorithm, token.signing_input, signature)
        ),
        None,
    )


def _mismatch(
    token: Token,
    keys: Sequence[Key],
    candidates: Sequence[Key],
    signature: bytes | None,
    fitting: Key | None,
) -> Iterator[Finding]:
    """Why no candidate fits: the wrong key's id, an algorithm that isn't the key's, other bytes."""
    algorithm = token.header.get("alg")
    if fitting is not None:
        yield Finding(
            "kid-wrong", f"the signature is by {fitting}, which is not the key that kid names"
        )
    elif not isinstance(algorithm, str) or algorithm.lower() == "none":
        return  # reported already
    elif not any(algorithm in key.algorithms for key in candidates or keys):
        yield Finding("alg-refused", _confusion(algorithm, (candidates or keys)[0]))
    elif candidates and signature is not None:
        yield Finding("signature", _wrong_signature(token, candidates, signature))


def _confusion(algorithm: str, key: Key) -> str:
    """An algorithm that the key is not for; two of these are classic attacks (RFC 8725 §2.1)."""
    allowed = " or ".join(key.algorithms)
    message = f"alg is {shown(algorithm)}, but {key.name} is {key.kind}, only for {allowed}"
    if algorithm in HASHES and key.secret is None:
        return message + ": a public key must never serve as a shared secret (algorithm confusion)"
    return message + "; the key decides, not the token (RFC 8725 §3.1)"


def _wrong_signature(token: Token, candidates: Sequence[Key], signature: bytes) -> str:
    names = ", ".join(str(key) for key in candidates[:5])
    wrong = f"the signature does not fit {names}: signed with another key, or changed since"
    algorithm = str(token.header.get("alg"))
    if algorithm in HASHES:
        expected = int(algorithm[2:]) // 8
        if len(signature) != expected:
            return wrong + f" (it has {len(signature)} bytes, {algorithm} has {expected}: cut?)"
        if any(_fits_decoded(key, algorithm, token, signature) for key in candidates):
            return wrong + " (it fits the base64-decoded secret: the issuer decodes it first)"
    return wrong


def _fits_decoded(key: Key, algorithm: str, token: Token, signature: bytes) -> bool:
    """Whether somebody used a secret's base64 text where somebody else used its bytes."""
    if key.secret is None:
        return False
    try:
        secret = base64.b64decode(key.secret.translate(bytes.maketrans(b"-_", b"+/")) + b"==")
    except binascii.Error:
        return False
    return hmac.compare_digest(
        hmac.digest(secret, token.signing_input, HASHES[algorithm]), signature
    )
