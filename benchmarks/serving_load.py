"""Load on the servers, by wrk, with posters of one's own.

    python benchmarks/serving_load.py POSTERS [--seconds 60]

`recolor serve` and MLflow's own `mlflow models serve` are given the same posters and the same model
one after the other, at some numbers of connections. Rates are ratios to that of recoloring in a
loop, in one process. Memory is that of the server's processes in the first and the last 10 seconds.
"""

import argparse
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import mlflow
import numpy as np
import psutil

from recolor.datasets.images import find_images
from recolor.datasets.picture_file import PictureFile
from recolor.models.decoding.options import DEFAULT_DECODING
from recolor.models.weights import pretrained_weights
from recolor.platform.registry.model import load_model
from recolor.platform.registry.registration import register
from recolor.platform.serving.saved_model import RecoloringGraph

KIND = "classification"
CONNECTIONS = (1, 8, 32, 64)
POSTERS = 200
EDGE_SECONDS = 10


def registered(folder: Path) -> str:
    """Register the bundled network in a store of its own; return its URI."""
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    mlflow.create_experiment("load", (folder / "artifacts").as_uri())
    mlflow.set_experiment("load")
    weights = pretrained_weights(KIND)
    metadata = {**weights.describe(), "dataset_digest": "", "takes_palette": True}
    card = folder / "card"
    card.mkdir()
    with mlflow.start_run():
        graph = RecoloringGraph(weights, None)
        version = register(graph, weights, card, "", metadata, {})
    return f"models:/{version.name}/{version.version}"


def without_a_server(files: list[Path]) -> float:
    """Return how many posters a second are recolored in a loop, read but not written."""
    painter = load_model(KIND).painter
    for file in files[:3]:
        painter.recolor(PictureFile.read(file).picture, DEFAULT_DECODING)
    began = time.perf_counter()
    for file in files[:50]:
        painter.recolor(PictureFile.read(file).picture, DEFAULT_DECODING)
    return len(files[:50]) / (time.perf_counter() - began)


@contextmanager
def server(command: list[str], ready: str, log: Path, uri: str) -> Iterator[subprocess.Popen]:
    """Run a server until it is no longer needed."""
    environment = {**os.environ, "MLFLOW_TRACKING_URI": mlflow.get_tracking_uri()}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        for _ in range(240):
            try:
                urlopen(ready, timeout=2)
                break
            except OSError:
                time.sleep(0.5)
        yield process
    finally:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.terminate()
        process.terminate()
        process.wait(60)


def memory(process: subprocess.Popen) -> float:
    """Return the megabytes of a process and its children."""
    root = psutil.Process(process.pid)
    return sum(one.memory_info().rss for one in [root, *root.children(recursive=True)]) / 2**20


def loaded(process, url: str, bodies: Path, content_type: str, connections: int, seconds: int):
    """Put load on a server; return what wrk says, and the server's memory second by second."""
    used: list[float] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(1):
            used.append(memory(process))

    watcher = threading.Thread(target=watch)
    watcher.start()
    script = Path(__file__).with_name("load.lua")
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s", "-s", script]
    said = subprocess.run(
        [*command, url, "--", bodies, content_type], capture_output=True, text=True, check=True
    ).stdout
    over.set()
    watcher.join()
    return json.loads(said.split("RESULT ")[1]), used


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("posters", type=Path)
    parser.add_argument("--seconds", type=int, default=60)
    asked = parser.parse_args()
    if shutil.which("wrk") is None:
        parser.error("wrk is missing: apt-get install wrk")
    every = [path for _, path in find_images([asked.posters])]
    files = every[:: max(1, len(every) // POSTERS)][:POSTERS]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        uri = registered(folder)
        alone = without_a_server(files)
        print(f"without a server: {alone:.2f} posters/s")
        plain, wrapped = folder / "plain", folder / "wrapped"
        plain.write_text("".join(f"{file.resolve()}\n" for file in files))
        lines = []
        for number, file in enumerate(files):
            image = base64.b64encode(file.read_bytes()).decode()
            body = folder / f"{number}.json"
            body.write_text(json.dumps({"inputs": {"image": [image]}}))
            lines.append(f"{body}\n")
        wrapped.write_text("".join(lines))
        servers = {
            "recolor serve, /recolor": (
                ["recolor", "serve", "--model", uri, "--port", "5091"],
                "http://127.0.0.1:5091/readyz",
                ("http://127.0.0.1:5091/recolor", plain, "image/jpeg"),
            ),
            "recolor serve, /invocations": (
                ["recolor", "serve", "--model", uri, "--port", "5092"],
                "http://127.0.0.1:5092/readyz",
                ("http://127.0.0.1:5092/invocations", wrapped, "application/json"),
            ),
            "mlflow models serve": (
                ["mlflow", "models", "serve", "-m", uri, "-p", "5093", "--env-manager", "local"],
                "http://127.0.0.1:5093/ping",
                ("http://127.0.0.1:5093/invocations", wrapped, "application/json"),
            ),
        }
        print(f"{'server':28} conn  posters/s  of loop  p50 ms  p95 ms  p99 ms  MB first, last")
        for title, (command, ready, load_on) in servers.items():
            with server(command, ready, folder / "log", uri) as process:
                for connections in CONNECTIONS:
                    told, used = loaded(process, *load_on, connections, asked.seconds)
                    rate = told["statuses"].get("200", 0) / told["seconds"]
                    first, last = np.mean(used[:EDGE_SECONDS]), np.mean(used[-EDGE_SECONDS:])
                    print(
                        f"{title:28} {connections:4} {rate:10.2f} {rate / alone:9.2f} "
                        f"{told['p50']:7.0f} {told['p95']:7.0f} {told['p99']:7.0f}  "
                        f"{first:.0f} {last:.0f} ({last / first - 1:+.1%})  {told['statuses']}"
                        f"{' broken: ' + str(told['broken']) if told['broken'] else ''}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
