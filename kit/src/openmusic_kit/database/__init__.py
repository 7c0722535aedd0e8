"""PostgreSQL: connections that nobody waits for without end, units of work, migrations, notifications.

Nothing is kept unless it was committed, and whatever keeps PostgreSQL from answering is ``Unavailable`` within seconds.
"""
