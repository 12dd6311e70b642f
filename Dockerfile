# syntax=docker/dockerfile:1
# The collector without a shell or a package manager, as a user who is not root, for any platform that Go has:
#
#   docker buildx build --platform linux/amd64,linux/arm64 --tag otelcol-mlflow .
FROM --platform=$BUILDPLATFORM golang:1.26.8-bookworm AS build
WORKDIR /src
# Downloaded again only when they change.
COPY Makefile builder-config.yaml go.mod go.sum ./
COPY tools/builder tools/builder
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go mod download && make .tools/builder
COPY exporter exporter
COPY processor processor
COPY internal internal
ARG TARGETOS=linux TARGETARCH=amd64
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    make "_build/${TARGETOS}_${TARGETARCH}/otelcol-mlflow" \
    && mv "_build/${TARGETOS}_${TARGETARCH}/otelcol-mlflow" /otelcol-mlflow \
    && mkdir /storage

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /otelcol-mlflow /otelcol-mlflow
COPY --from=build --chown=65532:65532 /storage /var/lib/otelcol-mlflow
COPY deploy/collector/otelcol-mlflow.yaml /etc/otelcol-mlflow/otelcol-mlflow.yaml
COPY LICENSE /LICENSE
ENV OTELCOL_LISTEN=0.0.0.0 OTELCOL_STORAGE=/var/lib/otelcol-mlflow
USER 65532:65532
# OTLP by gRPC and HTTP, the collector's own metrics, those of the LLM calls, health.
EXPOSE 4317 4318 8888 8889 13133
VOLUME /var/lib/otelcol-mlflow
ENTRYPOINT ["/otelcol-mlflow"]
CMD ["--config", "/etc/otelcol-mlflow/otelcol-mlflow.yaml"]
