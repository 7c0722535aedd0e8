"""HTTP: the application that every service is, wire shapes, the document, and clients of other services.

Every answer has the contract's shape, and every route answers within a bounded time.
"""
