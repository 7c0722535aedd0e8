from openmusic_gateway.app import create_app
from openmusic_gateway.settings import Settings
from openmusic_kit.cli import run_cli, serve


def serve_gateway(settings: Settings) -> None:
    serve(create_app(settings), settings, announced=settings.proxy_protocol)


def main() -> None:
    run_cli("gateway", Settings, {"serve": serve_gateway})


if __name__ == "__main__":
    main()
