"""Limits per client, across all gateways of one installation; docs/adr/0014 gives the reasons.

``policy`` defines a limit and its 429, ``clients`` finds a client's address, ``counting`` counts in Redis and in this
process, ``rates`` limits requests to services, and ``attempts`` limits by outcome, such as failed logins.
"""
