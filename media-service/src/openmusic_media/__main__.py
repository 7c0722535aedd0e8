from openmusic_kit.cli import Command, run_cli, serve
from openmusic_media.app import create_app
from openmusic_media.settings import Settings


def main() -> None:
    run_cli("media", {"serve": Command(Settings, lambda settings: serve(create_app(settings), settings))})


if __name__ == "__main__":
    main()
