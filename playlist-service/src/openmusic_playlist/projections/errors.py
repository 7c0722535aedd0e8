from openmusic_kit.errors import Conflict


class CatalogueEmpty(Conflict):
    message = "The catalogue has no songs at all, so no copy was deleted: is it the right catalogue?"
