# docker build --tag cospeech .                            PyTorch for the CPU
# docker build --tag cospeech --build-arg TORCH=cu128 .    for NVIDIA GPUs, with docker run --gpus all
# docker run -v $PWD:/data cospeech build --sources /data/videos --out /data/dataset
FROM python:3.11-slim
ARG TORCH=cpu
WORKDIR /cospeech
RUN apt-get update && apt-get install --no-install-recommends --yes libgl1 libglib2.0-0 && rm -rf /var/lib/apt/lists/*
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY manifests manifests
COPY pipeline pipeline
COPY models models
RUN pip install --no-cache-dir uv \
 && uv pip install --system --no-cache --index-strategy unsafe-best-match \
      --extra-index-url https://download.pytorch.org/whl/${TORCH} --constraint constraints.txt '.[train]'
USER nobody
ENV HOME=/tmp
ENTRYPOINT ["csg-data"]
