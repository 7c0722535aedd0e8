from openmusic_kit.schemas import WireModel


class LikesData(WireModel):
    likes: int
