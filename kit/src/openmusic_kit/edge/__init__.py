"""What services and gateways say to each other about the answers that gateways keep.

A gateway drops every answer that a committed change outdates before any client sees the answer to that change.
"""
