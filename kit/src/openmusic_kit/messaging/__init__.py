"""Events through RabbitMQ, at least once and in the end: outbox, relay, consumers, inbox.

An event is published if, and only if, the change that it reports was committed. A message is acknowledged only after
its work is done, and goes to the dead letters rather than being lost.
"""
