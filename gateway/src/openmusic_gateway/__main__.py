from openmusic_gateway.app import create_app
from openmusic_gateway.settings import Settings
from openmusic_kit.cli import run_cli, serve


def main() -> None:
    run_cli("gateway", Settings, {"serve": lambda settings: serve(create_app(settings), settings)})


if __name__ == "__main__":
    main()
