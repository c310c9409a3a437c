"""The domain of an e-mail address, as the wire has it."""

from email_validator import EmailNotValidError, validate_email


def ascii_domain(domain: str) -> str:
    """The form that every mail server takes: `xn--bcher-kva.example` for `bücher.example`.

    Raises:
        ValueError: it has none.
    """
    if domain.isascii():
        return domain
    try:
        checked = validate_email(f"x@{domain}", check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise ValueError("write a domain that there can be, example.com") from None
    return checked.ascii_domain
