from importlib.metadata import version

VERSION = version("openmusic-kit")
"""Of OpenMusic, as the file ``VERSION`` says it; all packages have the same."""
