from openmusic_kit.errors import Conflict, NotFound


class UserNotFound(NotFound):
    message = "There is no such user"


class AlreadyCollaborating(Conflict):
    message = "This user is a collaborator already"


class CollaboratingWithOneself(Conflict):
    message = "The owner of a playlist cannot be its collaborator"


class CollaborationNotFound(NotFound):
    message = "This user is not a collaborator of the playlist"


class OwnerCannotLeave(Conflict):
    message = "The owner of a playlist cannot leave it"
