from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator


def _address(text: str) -> str:
    """The address with its domain in ASCII, as a mail server wants it. Domains under ``.test`` are fine (RFC 6761)."""
    try:
        found = validate_email(
            text, check_deliverability=False, allow_smtputf8=False, test_environment=True, strict=True
        )
    except EmailNotValidError as error:
        raise ValueError(str(error)) from error
    return found.ascii_email or found.normalized


MailAddress = Annotated[str, AfterValidator(_address)]
