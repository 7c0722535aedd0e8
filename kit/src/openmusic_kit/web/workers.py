"""Several server processes on one socket, under a parent that replaces those that die.

The parent forks the workers, serves nothing and runs no other thread or loop. Workers share one listening socket
rather than one each: connections that wait in the queue of a worker that died would be reset.
"""

import logging
import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing.context import ForkProcess
from socket import socket

import uvicorn
from uvicorn.config import STARTUP_FAILURE

logger = logging.getLogger(__name__)

RESTART_DELAY = 1.0  # seconds until a dead worker is replaced, so that one that always dies does not use up a core
_STOP = {signal.SIGTERM, signal.SIGINT}
_SIGNALS = {*_STOP, signal.SIGCHLD}
_fork = multiprocessing.get_context("fork")


def serve_in_workers(config: uvicorn.Config, count: int) -> None:
    """Serves until SIGTERM or SIGINT, which every worker gets; returns when all of them have ended.

    Exits like a single server if a worker cannot start.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # they are waited for
    listener = config.bind_socket()
    parent_lives = os.pipe()

    def start() -> ForkProcess:
        worker = _fork.Process(target=_work, args=(config, listener, parent_lives))
        worker.start()
        return worker

    workers = [start() for _ in range(count)]
    while signal.sigwait(_SIGNALS) == signal.SIGCHLD:
        dead = [worker for worker in workers if not worker.is_alive()]
        if STARTUP_FAILURE in {worker.exitcode for worker in dead}:
            break
        if dead:
            logger.error("workers died", extra={"exit_codes": [worker.exitcode for worker in dead]})
            if signal.sigtimedwait(_STOP, RESTART_DELAY):
                break
            workers = [start() if worker in dead else worker for worker in workers]
    listener.close()  # the last worker to close its own refuses new connections
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join()
    if STARTUP_FAILURE in {worker.exitcode for worker in workers}:
        sys.exit(STARTUP_FAILURE)


def _work(config: uvicorn.Config, listener: socket, parent_lives: tuple[int, int]) -> None:
    reader, writer = parent_lives
    os.close(writer)
    threading.Thread(target=_stop_with_parent, args=(reader,), daemon=True).start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    uvicorn.Server(config).run([listener])


def _stop_with_parent(reader: int) -> None:
    os.read(reader, 1)  # returns when the parent has ended, which alone could write
    os.kill(os.getpid(), signal.SIGTERM)
