# immunescape in a container: no compiler of the system is needed, the one that pip installs along is used.
# This file has never been built: docker was not available where it was written.
#   docker build -t immunescape .
#   docker run --rm -v "$PWD/results:/results" immunescape trial keynote-024 --out /results
FROM python:3.12-slim
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
# pages of stored results that the app shows
COPY docs/scoreboard.md docs/claims-results.md docs/harness.md ./docs/
RUN pip install --no-cache-dir . && useradd --create-home immunescape
USER immunescape
WORKDIR /home/immunescape
# what is compiled stays for the next command of the same container; mount a volume here to keep it longer
ENV XDG_CACHE_HOME=/home/immunescape/.cache
ENTRYPOINT ["immunescape"]
CMD ["--help"]
