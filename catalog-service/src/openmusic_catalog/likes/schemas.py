from openmusic_kit.web.schemas import WireModel


class LikesData(WireModel):
    likes: int
