# One image for every process of the mesh; the command says which one runs:
#   python -m gateway --config FILE, python -m services.retrieval --config FILE, python -m training fit DATASET --out DIR
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS builder
WORKDIR /app
# No pip in the environment that ships. Wheels only: nothing is compiled and no package's code runs while it installs.
COPY requirements/mesh.txt /tmp/mesh.txt
RUN python -m venv --without-pip /opt/venv \
    && python -m pip --python /opt/venv/bin/python install \
        --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: --requirement /tmp/mesh.txt
COPY LICENSE ./
COPY recmesh ./recmesh
COPY models ./models
COPY services ./services
COPY gateway ./gateway
COPY training ./training
# A checkout under a strict umask must still be readable for the user below, and a read-only root keeps no byte code
# that is made later.
RUN chmod -R a+rX /app && /opt/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash /app

FROM ${PYTHON_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="recmesh" \
      org.opencontainers.image.description="A recommender that runs as a mesh of small Twisted processes" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# LightGBM, by which a fit grows the ranker, is the one wheel that brings no OpenMP of its own. What serves does without.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/*
# One thread a call in the numeric libraries: concurrency comes from the process.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OMP_NUM_THREADS=1 \
    OPENBLAS_NUM_THREADS=1
COPY --from=builder /opt/venv /opt/venv
COPY --from=builder /app /app
WORKDIR /app
# A number, because runAsNonRoot cannot judge a name.
USER 10001:10001
STOPSIGNAL SIGTERM
CMD ["python", "-m", "gateway"]
