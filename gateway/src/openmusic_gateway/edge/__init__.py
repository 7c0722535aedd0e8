"""The edge cache: responses kept in this process until they change, and purged everywhere before a write responds.

The promise: a read that begins after the response to a write never returns an older value, through any gateway.
``entries`` holds the responses, ``channel`` connects the gateways of one installation over Redis, ``holds`` and
``generations`` know what may change unseen, ``cache`` joins them, and ``sending`` sends what is cached.
"""
