from openmusic_kit.errors import Conflict, Forbidden, NotFound


class ExportNotFound(NotFound):
    message = "There is no such export"


class PlaylistNotFound(NotFound):
    message = "There is no such playlist"


class OwnerOnly(Forbidden):
    message = "Only the owner of a playlist may export it"


class ExportSettled(Conflict):
    message = "The export is settled"


class ExportBusy(Conflict):
    message = "A worker is sending this export right now"


class ExportInDoubt(Conflict):
    message = "A mail of this export may have arrived: say --in-doubt to send it nevertheless"
