class SigningKeyUnreadable(Exception):
    """The stored keys were encrypted with another SIGNING_KEY_SECRET."""
