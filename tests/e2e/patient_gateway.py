"""A gateway that keeps answers for ten minutes instead of a second: nothing passes a test because it died of age.

What a write waits for when Redis is away is left as it is.
"""

from openmusic_gateway.__main__ import main
from openmusic_gateway.edge import cache

assert cache.LIFETIME == 1.0
cache.LIFETIME = 600.0

main()
