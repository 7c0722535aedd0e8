"""The edge cache: responses kept in this process for a second at most, and purged everywhere before a write responds.

The promise: a read that begins after the response to a write never returns an older value, through any gateway.
``entries`` holds the responses, ``channel`` connects the gateways of one installation over Redis, ``cache`` joins the
two, and ``sending`` sends what is cached.
"""
