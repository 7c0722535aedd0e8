"""The command line of operators, in every image: ``openmusic dead-letters``, and what the service there adds."""
