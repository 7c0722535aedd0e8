from openmusic_kit.web.schemas import WireModel


class LikedAlbum(WireModel):
    id: str
    name: str


class LikesData(WireModel):
    likes: int
