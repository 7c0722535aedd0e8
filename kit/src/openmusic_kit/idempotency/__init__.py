"""Requests that may be repeated: the header ``Idempotency-Key`` makes a change happen once (ADR 96).

The result of the change is stored in its transaction. A repeat gets the result instead of a second change, and the
endpoint makes the same answer of it.
"""
