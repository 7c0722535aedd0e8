from openmusic_kit.errors import Conflict


class NothingOwned(Conflict):
    message = "The catalogue says that it has no song at all, so no copy is buried: is it the right one?"
