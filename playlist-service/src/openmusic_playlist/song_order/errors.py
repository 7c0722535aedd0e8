from openmusic_kit.errors import Conflict, Invalid


class OrderIncomplete(Conflict):
    message = "songIds: must be exactly the songs that are in the playlist now"


class OrderOutdated(Conflict):
    message = "revision: the playlist has changed since"


class MovedAfterItself(Invalid):
    message = "after: must be another song"
