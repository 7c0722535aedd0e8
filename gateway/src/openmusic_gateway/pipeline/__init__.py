"""The stages that a request passes, one module each; ``pipeline`` puts them in order.

A stage responds, raises HttpError, or lets the request continue. Stages do not know each other.
"""
