# translate in a container, as a user without rights:
#   docker build -t translate .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" translate apply runs/cyclegan photos/ -o out/
# With an NVIDIA card, add --gpus all to docker run. Without one, a smaller image comes from the CPU builds of torch:
#   docker build -t translate --build-arg TORCH_INDEX=<the CPU index that pytorch.org's installation page names> .
FROM python:3.11-slim

ARG TORCH_INDEX=""

ENV PIP_NO_CACHE_DIR=1 \
    PYTHONUNBUFFERED=1 \
    TRANSLATE_CACHE=/cache

# g++ is for torch.compile.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 translate \
    && install --directory --mode 1777 /work /cache

# torch has a layer of its own, as it is large and rarely changes. The versions are those of setup.cfg.
# hadolint ignore=DL3013
RUN pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "torch>=2.10" "torchvision>=0.25"

COPY setup.cfg pyproject.toml README.md LICENSE /source/
COPY translate /source/translate
RUN pip install "/source[serve,ui,volumes]"

USER 1000
WORKDIR /work
VOLUME ["/cache"]
EXPOSE 7860 8000

ENTRYPOINT ["translate"]
CMD ["--help"]
