# The image of one service: docker build --build-arg SERVICE=catalog-service .
# docs/adr/0009 says why one file makes them all.
ARG PYTHON=python:3.13-slim


FROM ${PYTHON} AS wheels
RUN apt-get update \
    && apt-get install -y --no-install-recommends binutils \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --require-hashes -r requirements/build.txt \
    && pip wheel --require-hashes -r requirements/runtime.txt --wheel-dir /wheels


FROM wheels AS install
ARG SERVICE
RUN python -m venv --without-pip /opt/openmusic
# Only what this service and the kit ask for, from the wheels whose hashes were checked. Without what nothing here uses: tests, the
# sources of compiled modules, other brokers, and the syntax of languages that no traceback shows. A change of our code leaves this
# layer as it is.
COPY kit/pyproject.toml kit/
COPY deploy/operations/pyproject.toml deploy/operations/
COPY ${SERVICE}/pyproject.toml ${SERVICE}/
COPY deploy/containers/dependencies.py .
RUN python dependencies.py kit/pyproject.toml deploy/operations/pyproject.toml ${SERVICE}/pyproject.toml > dependencies.txt \
    && pip --python /opt/openmusic/bin/python install --no-index --find-links /wheels -r dependencies.txt \
    && find /opt/openmusic -name '*.so' -not -path '*.libs/*' -exec strip --strip-unneeded {} + \
    && cd /opt/openmusic/lib/python3.*/site-packages \
    && rm -rf Crypto/SelfTest faststream/confluent faststream/kafka faststream/mqtt faststream/nats faststream/redis \
    && find . \( -name '*.py[xi]' -o -name '*.pxd' \) -delete \
    && find pygments/lexers -type f ! -name '__init__*' ! -name '_mapping*' ! -name 'python.*' -delete
COPY VERSION .
COPY kit kit
COPY deploy/operations deploy/operations
COPY ${SERVICE} ${SERVICE}
RUN pip wheel --no-index --no-deps --no-build-isolation --wheel-dir own ./kit ./deploy/operations ./${SERVICE} \
    && pip --python /opt/openmusic/bin/python install --no-index --no-deps --target /opt/service own/*.whl \
    && ln -s openmusic-${SERVICE%-service} /opt/service/bin/openmusic-service


# Runs once before everything else in compose: makes the secrets, and hands volumes to the users that write to them.
FROM ${PYTHON} AS bootstrap
RUN install -d -o 10000 -g 10000 -m 0755 /secrets \
    && install -d -o 1000 -g 1000 /volumes/minio /volumes/mails
COPY deploy/containers/make_secrets.py /usr/local/lib/
COPY deploy/operations/src/openmusic_operations/__init__.py deploy/operations/src/openmusic_operations/system.* /usr/local/lib/openmusic_operations/
USER 10000:10000
ENTRYPOINT ["python", "/usr/local/lib/make_secrets.py"]


FROM ${PYTHON} AS service
ARG SERVICE
ARG VERSION=3.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="OpenMusic ${SERVICE}" \
      org.opencontainers.image.description="One of the services of OpenMusic, the back end of a music library" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="python:3.13-slim"
RUN groupadd --gid 10001 openmusic && useradd --uid 10001 --gid openmusic --no-create-home --home-dir /nonexistent openmusic
COPY --from=install /opt/openmusic /opt/openmusic
COPY --from=install /opt/service /opt/service
COPY deploy/containers/healthcheck.py /opt/service/
ENV PATH=/opt/service/bin:/opt/openmusic/bin:$PATH PYTHONPATH=/opt/service PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    ENVIRONMENT=production HOST=0.0.0.0 PORT=5000 SHUTDOWN_GRACE=8 \
    METRICS_HOST=0.0.0.0 METRICS_PORT=9100
USER 10001:10001
WORKDIR /run/openmusic
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=5 CMD ["python", "-IS", "/opt/service/healthcheck.py"]
ENTRYPOINT ["openmusic-service"]
CMD ["serve"]
