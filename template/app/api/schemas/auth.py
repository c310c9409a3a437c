"""Bodies of `/api/auth`."""

from app.api.schemas.base import Input, Output
from app.api.schemas.fields import Email, Name, NewPassword, Password, Token
from app.api.schemas.users import UserSummary


class RegisterInput(Input):
    email: Email
    password: NewPassword
    name: Name | None = None


class LoginInput(Input):
    email: Email
    password: Password


class RefreshInput(Input):
    refresh_token: Token


class ForgotPasswordInput(Input):
    email: Email


class ResetPasswordInput(Input):
    token: Token
    new_password: NewPassword


class ConfirmEmailInput(Input):
    token: Token


class Tokens(Output):
    access_token: Token
    refresh_token: Token


class SignedIn(Output):
    user: UserSummary
    access_token: Token
    refresh_token: Token
