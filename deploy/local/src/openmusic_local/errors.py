class LocalError(Exception):
    """Something that the person at the keyboard must know; the text is shown as it is."""
