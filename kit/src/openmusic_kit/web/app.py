"""The application that every service is: its routes, middlewares, error handlers and health routes."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from openmusic_kit import errors
from openmusic_kit.edge.answers import PurgeHeader
from openmusic_kit.metrics import serving_metrics
from openmusic_kit.resources import Resources
from openmusic_kit.settings import ServiceSettings
from openmusic_kit.version import VERSION
from openmusic_kit.web import openapi
from openmusic_kit.web.middleware import BodyLimit, RequestContext
from openmusic_kit.web.responses import on_http_exception, on_invalid_request, on_service_error


class ServiceApp(FastAPI):
    """Serves a document that names every answer."""

    def openapi(self) -> openapi.Document:
        if self.openapi_schema is None:
            self.openapi_schema = openapi.completed(super().openapi())
        return self.openapi_schema


def create_service_app(
    name: str,
    settings: ServiceSettings,
    *,
    start: Callable[[FastAPI, Resources], Awaitable[None]],
    routers: Iterable[APIRouter],
    body_limits: Mapping[str, int] | None = None,
) -> FastAPI:
    """A FastAPI application that answers in the one shape.

    ``start`` opens resources and sets the application's state, when the server starts; they are closed at its end.
    ``body_limits`` are in bytes, by the paths that take larger bodies than others.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with Resources(settings) as resources:
            await start(app, resources)
            app.state.health = resources.health
            app.state.generations = resources.generations
            async with serving_metrics(name, settings, resources.metrics):
                yield

    app = ServiceApp(
        title=f"OpenMusic {name}",
        version=VERSION,
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.service_credential = settings.service_credential
    for router in (*routers, _health_router()):
        _add_routes(app, router)
    app.add_middleware(PurgeHeader)
    app.add_middleware(BodyLimit, limit=settings.body_limit, limit_of_path=body_limits or {})
    app.add_middleware(RequestContext, service=name)
    app.add_exception_handler(errors.ServiceError, on_service_error)
    app.add_exception_handler(RequestValidationError, on_invalid_request)
    app.add_exception_handler(HTTPException, on_http_exception)
    return app


def _add_routes(app: FastAPI, router: APIRouter) -> None:
    """Adds the routes themselves: FastAPI would look for the route of an included router twice at each request."""
    for route in router.routes:
        if isinstance(route, APIRoute):
            route.unique_id = route.name  # in the document
    app.router.routes.extend(router.routes)


def _health_router() -> APIRouter:
    router = APIRouter(prefix="/health", include_in_schema=False)

    @router.get("/live")
    async def live() -> dict[str, str]:
        return {"status": "success", "message": "alive"}

    @router.get("/ready")
    async def ready(request: Request) -> Response:
        report = await request.app.state.health.report()
        if report.ready:
            return JSONResponse({"status": "success", "data": {"dependencies": report.dependencies}})
        message = f"Not ready: {', '.join(report.missing)} missing"
        body = {"status": "error", "message": message, "data": {"dependencies": report.dependencies}}
        return JSONResponse(body, 503, {"Retry-After": "1"})

    @router.get("/cache-generation")
    async def cache_generation(request: Request) -> dict[str, float]:
        """For gateways, which keep responses for long only while they know that nothing changed unannounced."""
        generations = request.app.state.generations
        if generations is None:
            raise errors.NotFound("This service has no cache")
        return {**asdict(generations.look()), "longest_change": generations.longest_change}

    return router
