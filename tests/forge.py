"""Commands that begin at once: forked from a process that has imported everything already.

Each import of TensorFlow takes four seconds, and a kill while Python still imports its libraries
proves little. Here a command is at its own work from its first millisecond on.
"""

import gc
import json
import os
import signal
import site
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

import psutil

TESTS = Path(__file__).resolve().parent
PATIENCE = 300


@dataclass(frozen=True)
class Ended:
    """A command that has ended.

    Attributes:
        status: Its exit status; negative for a signal.
        said: All that it has written.
        seconds: How long it took.
    """

    status: int
    said: str
    seconds: float


class Command:
    """A command under way.

    Args:
        forge: Where it was begun.
        pid: Its process, the first of a session of its own.
        output: The file that its output goes to.
    """

    def __init__(self, forge: "Forge", pid: int, output: Path):
        self._forge, self.pid, self._output, self._begun = forge, pid, output, time.monotonic()
        self._ended = None

    @property
    def said(self) -> str:
        """All that it has written so far."""
        return self._output.read_text(encoding="utf-8", errors="replace").replace("\r", "\n")

    @property
    def runs(self) -> bool:
        """Whether it has not ended yet."""
        return self._ended is None and psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE

    def signal(self, number: int) -> None:
        """Send a signal; Ctrl-C goes to all processes of the session, as in a terminal.

        It may have ended already: then its process is still to be waited for, and hears nothing.
        """
        if number == signal.SIGINT:
            # In its first instant, it has no session of its own yet.
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)
                return
        os.kill(self.pid, number)

    def wait(self, patience: float = PATIENCE) -> Ended:
        """Wait for its end; what takes longer than the patience is killed, and fails."""
        if self._ended is None:
            timer, begun = Timer(patience, os.killpg, (self.pid, signal.SIGKILL)), time.monotonic()
            timer.start()
            status = self._forge.ask(wait=self.pid)
            timer.cancel()
            now = time.monotonic()
            self._ended = Ended(status, self.said, now - self._begun)
            assert now - begun < patience, f"it went on for {now - begun:.0f} s\n{self.said}"
        return self._ended


class Forge:
    """The process that commands are forked from."""

    def __init__(self):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
        path = filter(None, (str(TESTS), os.environ.get("PYTHONPATH")))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "forge"],
            env={**environment, "PYTHONPATH": os.pathsep.join(path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        self._count = 0
        assert self.ask(ready=True)

    def ask(self, **request) -> int:
        """Send a request, and return what is answered."""
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def begin(self, folder: Path, *arguments, fresh: bool = False, **environment) -> Command:
        """Begin `recolor ARGUMENTS` in a folder; its temporary files and output lie beside it.

        Args:
            folder: The folder.
            arguments: The command's words.
            fresh: Whether it runs in a Python of its own, that has imported nothing.
            environment: Variables, beside those of when the forge was begun, and PYTHONPATH.
        """
        self._count += 1
        output = folder.with_name(f"{folder.name}.output-{self._count}")
        temporary = folder.with_name(f"{folder.name}.tmp")
        output.touch()
        temporary.mkdir(exist_ok=True)
        inherited = {"TMPDIR": str(temporary), "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
        pid = self.ask(
            arguments=[str(argument) for argument in arguments],
            folder=str(folder),
            output=str(output),
            fresh=fresh,
            environment={**inherited, **environment},
        )
        return Command(self, pid, output)

    def call(self, folder: Path, *arguments, **environment) -> Ended:
        """Run `recolor ARGUMENTS` in a folder to its end."""
        return self.begin(folder, *arguments, **environment).wait()

    def close(self) -> None:
        """End the process that commands are forked from, and those that still run."""
        self._process.stdin.close()
        self._process.wait()


def import_everything() -> None:
    """Import what any command imports; TensorFlow's runtime does not begin by that."""
    from recolor.platform.cli.libraries import quiet_mlflow, quiet_optuna

    quiet_mlflow()
    quiet_optuna()
    import recolor.evaluation.figures
    import recolor.platform.experiments.ablation
    import recolor.platform.experiments.evaluation
    import recolor.platform.registry.model
    import recolor.platform.search.tuning
    import recolor.platform.server.application
    import recolor.platform.serving.files
    import recolor.platform.training.publication
    import recolor.platform.training.tracked
    import recolor.platform.training.untracked  # noqa: F401
    from recolor.platform.cli.main import COMMANDS

    for name in COMMANDS:
        COMMANDS.get(name)


def serve() -> list[str] | None:
    """Fork a command for each request; return its arguments there, and None here at the end."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    running = set()
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            result = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
            running.remove(request["wait"])
        elif "ready" in request:
            result = 1
        elif result := os.fork():
            running.add(result)
        else:
            answer.close()
            _become_command(request)
            return request["arguments"]
        print(result, file=answer, flush=True)
    for pid in running:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return None


def _become_command(request: dict) -> None:
    os.setsid()
    os.chdir(request["folder"])
    os.environ.update(request["environment"])
    output = os.open(request["output"], os.O_WRONLY | os.O_APPEND)
    for number, file in enumerate((os.open(os.devnull, os.O_RDONLY), output, output)):
        os.dup2(file, number)
    if request["fresh"]:
        command = [sys.executable, "-m", "recolor.platform.cli.main", *request["arguments"]]
        os.execv(sys.executable, command)
    if path := os.environ["PYTHONPATH"]:
        # As Python does at its start.
        sys.path[:0] = path.split(os.pathsep)
        sys.modules.pop("sitecustomize", None)
        site.execsitecustomize()


def wait_until(condition, command: Command, patience: float = PATIENCE):
    """Wait until a condition holds, while a command runs; return what it is."""
    deadline = time.monotonic() + patience
    while not (found := condition()):
        assert command.runs and time.monotonic() < deadline, command.said
        time.sleep(0.05)
    return found


if __name__ == "__main__":
    gc.disable()
    import_everything()
    gc.freeze()
    gc.enable()
    arguments = serve()
    if arguments is not None:
        from recolor.platform.cli.main import main

        main(arguments, prog_name="recolor")
