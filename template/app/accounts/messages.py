"""The mails this API sends."""

from app.foundation.mail import Mail


def password_reset(to: str, app_name: str, link: str, minutes: int) -> Mail:
    return Mail(
        to=to,
        subject=f"Reset your {app_name} password",
        text=(
            f"Somebody, hopefully you, asked to reset the password of your {app_name} account.\n"
            f"\n"
            f"Open this link within {minutes} minutes to choose a new one; it works once:\n"
            f"\n"
            f"{link}\n"
            f"\n"
            f"If it was not you, ignore this mail: your password stays as it is.\n"
        ),
    )


def password_changed(to: str, app_name: str) -> Mail:
    return Mail(
        to=to,
        subject=f"Your {app_name} password was changed",
        text=(
            f"The password of your {app_name} account was just changed, and other devices\n"
            f"were signed out.\n"
            f"\n"
            f'If it was not you, use "forgot password" now to take the account back.\n'
        ),
    )


def confirm_email(to: str, app_name: str, link: str) -> Mail:
    return Mail(
        to=to,
        subject=f"Confirm your e-mail address for {app_name}",
        text=(
            f"Somebody, hopefully you, wants to use this address for their {app_name} account.\n"
            f"\n"
            f"Open this link within an hour to confirm it; it works once:\n"
            f"\n"
            f"{link}\n"
            f"\n"
            f"If it was not you, ignore this mail: nothing changes.\n"
        ),
    )


def email_changed(to: str, app_name: str, new_email: str) -> Mail:
    return Mail(
        to=to,
        subject=f"Your {app_name} e-mail address was changed",
        text=(
            f"The e-mail address of your {app_name} account is now {new_email}.\n"
            f"\n"
            f"If it was not you, change your password and contact us.\n"
        ),
    )
