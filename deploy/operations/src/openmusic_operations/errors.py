"""What an operator is told in one line.

OperationFailed
├── BrokerAway
├── DatabaseAway
├── QueueMissing   RabbitMQ has no such queue (yet)
└── LetterMissing  no dead letter with that id
"""

from openmusic_kit.errors import ServiceError


class OperationFailed(ServiceError):
    pass


class BrokerAway(OperationFailed):
    pass


class QueueMissing(OperationFailed):
    pass


class LetterMissing(OperationFailed):
    pass


class DatabaseAway(OperationFailed):
    pass
