from openmusic_gateway.settings import Settings
from openmusic_kit.cli import Command, run_cli, serve


def serve_gateway(settings: Settings) -> None:
    from openmusic_gateway.app import create_app  # noqa: PLC0415 - wrong settings are refused sooner

    serve(create_app(settings), settings, announced=settings.proxy_protocol, workers=settings.workers)


def main() -> None:
    run_cli("gateway", {"serve": Command(Settings, serve_gateway)})


if __name__ == "__main__":
    main()
