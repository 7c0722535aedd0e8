"""The edge cache: answers kept in this process for a second at most, and dropped everywhere before a write is answered.

The rule: a read that begins after a write was answered never gets an older value, through whichever gateway.
``entries`` holds the answers, ``channel`` keeps the gateways of one installation in step over Redis, and ``cache``
joins the two.
"""
