"""Refuses passwords that everybody can guess: the user's address, or this API's name."""

import re

from app.accounts.common_passwords import plain_forms
from app.accounts.passwords import normalise
from app.errors import AppError, ErrorCode


def own_name_problem(password: str, email: str, app_name: str) -> str | None:
    """Say that a new password is one of these names, even if decorated; None if it is not.

    The caller has asked `password_problem` first.
    """
    known = {_letters(name) for name in (email, email.partition("@")[0], app_name)} - {""}
    if any(_letters(form) in known for form in plain_forms(normalise(password).decode())):
        return "must not be your address or the name of this service"
    return None


def refuse_own_names(password: str, email: str, app_name: str, field: str) -> None:
    """
    Raises:
        AppError: 400 validation_failed, naming the field.
    """
    if problem := own_name_problem(password, email, app_name):
        details = [{"field": field, "message": problem}]
        raise AppError(400, ErrorCode.VALIDATION_FAILED, "The input is not valid.", details)


def _letters(text: str) -> str:
    return re.sub(r"[\W\d_]", "", text.lower())
