"""Ends with 0 when the process of this container is ready. Imports little, because it runs every few seconds."""

import os
import socket
import sys

with socket.create_connection(("127.0.0.1", int(os.environ["PORT"])), timeout=2.5) as connection:
    connection.sendall(b"GET /health/ready HTTP/1.0\r\n\r\n")
    sys.exit(b" 200 " not in connection.recv(64))
