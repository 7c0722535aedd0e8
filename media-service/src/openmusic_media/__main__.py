from openmusic_kit.cli import Command, run_cli, serve
from openmusic_media.settings import Settings


def serve_app(settings: Settings) -> None:
    from openmusic_media.app import create_app  # noqa: PLC0415 - wrong settings are refused sooner

    serve(create_app(settings), settings)


def main() -> None:
    run_cli("media", {"serve": Command(Settings, serve_app)})


if __name__ == "__main__":
    main()
