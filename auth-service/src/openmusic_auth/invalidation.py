"""Under which edge tags gateways keep the answers of this service, and which tags each change outdates."""

from openmusic_kit.edge import tags


def user_headers(user_id: str) -> dict[str, str]:
    return tags.public(_user_tag(user_id))


def account_headers(user_id: str) -> dict[str, str]:
    return tags.private(_user_tag(user_id))


def user_changed(user_id: str) -> tuple[str, ...]:
    return (_user_tag(user_id),)


def _user_tag(user_id: str) -> str:
    return f"user:{user_id}"
