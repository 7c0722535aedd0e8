"""What an operator is told in one line.

OperationFailed
├── BrokerAway
├── QueueMissing   RabbitMQ has no such queue (yet)
└── LetterMissing  no dead letter with that id
"""


class OperationFailed(Exception):
    pass


class BrokerAway(OperationFailed):
    pass


class QueueMissing(OperationFailed):
    pass


class LetterMissing(OperationFailed):
    pass
