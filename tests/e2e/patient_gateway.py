"""A gateway that keeps every answer for ten minutes: nothing passes a test because it died of age.

What a write waits for when Redis is away is left as it is.
"""

from openmusic_gateway.__main__ import main
from openmusic_gateway.edge import cache

assert (cache.SHORT_LIFETIME, cache.LIFETIME) == (1.0, 120.0)
cache.SHORT_LIFETIME = cache.LIFETIME = 600.0

main()
