from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field, StringConstraints


def _address(text: str) -> str:
    """The address with its domain in ASCII, as mail servers expect it. Accepts domains under ``.test`` (RFC 6761)."""
    try:
        found = validate_email(
            text, check_deliverability=False, allow_smtputf8=False, test_environment=True, strict=True
        )
    except EmailNotValidError as error:
        raise ValueError(str(error)) from error
    return found.ascii_email or found.normalized


MailAddress = Annotated[
    str, StringConstraints(min_length=1), AfterValidator(_address), Field(json_schema_extra={"format": "email"})
]
