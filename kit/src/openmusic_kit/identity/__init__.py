"""Access tokens, verified against the keys that the auth service publishes.

A token is refused only for what is wrong with it: when its key cannot be fetched, the answer is ``Unavailable``.
"""
