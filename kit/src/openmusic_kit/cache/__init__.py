"""Cache-aside in Redis that is never wrong, only slower without Redis.

A value read is never older than a change acknowledged before the read began, whichever process dies in between.
"""
