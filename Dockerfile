# Graft, on the CPU or on every GPU of a host with the NVIDIA container toolkit (driver 580 or newer):
#
#   docker build -t graft .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" -w /work -v graft:/cache \
#       graft quickstart strategy=lora
#
# The folder at hand has your own recipes and files; runs/ appears in it.
#
# --gpus all --ipc=host      before the image's name: the GPUs, and shared memory for data loaders
# -e HF_TOKEN                gated checkpoints, and pushing
# -e OMP_NUM_THREADS=8       threads of a process; accelerate gives each just one
# --read-only --tmpfs /tmp   nothing but the two volumes is written; --network=none works, too
# --entrypoint graft         the other commands: check, list, schema, push
# --entrypoint accelerate    the launcher's own options: launch --num_processes 2 pipelines/run.py …
#
# The launcher is PID 1 and passes no signal on. To stop with a checkpoint to resume from:
#   docker exec CONTAINER sh -c 'kill -TERM -1'

# The torch wheels bring CUDA, cuDNN and NCCL; the host brings the driver. So a CUDA or PyTorch image
# would hold these gigabytes twice. Any glibc base with Python 3.11, 3.12 or newer and venv will do:
# one with a compiler where `training.torch_compile` is wanted, or the one that your site maintains.
ARG BASE_IMAGE=python:3.11-slim-bookworm
FROM ${BASE_IMAGE}

# The user is a number, so that Kubernetes can see that it is not root. Folders open to everyone
# serve any other `--user` too. What libraries keep in HOME goes to the volume.
RUN groupadd --non-unique --gid 1000 graft \
    && useradd --non-unique --uid 1000 --gid 1000 --home-dir /cache --no-create-home graft \
    && install -d -m 1777 /cache /app/runs \
    && python3 -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/cache \
    HF_HOME=/cache/huggingface \
    TORCHINDUCTOR_CACHE_DIR=/cache/torchinductor
WORKDIR /app

# One stage: everything is a wheel, so there is no compiler to leave behind, and copying a venv of
# 6 GB from another stage costs minutes and saves nothing. This layer is rebuilt when the
# dependencies change, the next ones when the code does: they are a megabyte.
# --use-pep517: seqeval is a source distribution, which the pip of older bases builds in a way that fails.
# Another index, for torch without CUDA or for an older driver: --build-arg PIP_EXTRA_INDEX_URL=…
ARG PIP_INDEX_URL=""
ARG PIP_EXTRA_INDEX_URL=""
COPY pyproject.toml requirements.lock ./
RUN python3 -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' > /tmp/dependencies \
    && pip install --no-cache-dir --no-input --use-pep517 -c requirements.lock -r /tmp/dependencies hatchling \
    && rm /tmp/dependencies

COPY . .
# Readable for the user, whatever umask the clone was made with.
RUN find . ! -perm -o=r -exec chmod o+rX {} + \
    && pip install --no-cache-dir --no-deps --no-build-isolation -e .

ARG REVISION=""
LABEL org.opencontainers.image.title="Graft" \
      org.opencontainers.image.description="Recipe-driven fine-tuning on the Hugging Face stack" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}"

VOLUME /cache
USER 1000:1000

# The number of processes is left to accelerate, which says what it chose: one per GPU that it sees,
# or one on the CPU. --quiet: a mistake in a recipe is one line, not the launcher's traceback too.
ENTRYPOINT ["accelerate", "launch", "--quiet", "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "/app/pipelines/run.py"]
CMD ["--help"]
