"""lvm serve: a model as a web service."""

from __future__ import annotations

import signal
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from lvm_cli.console import echo, say
from lvm_cli.options import open_lab, plugin_options, precision_option, runs_option
from lvmcore.errors import LvmError, MachineError
from lvmcore.report.tables import one_line
from lvmcore.runs.run import Run
from lvmcore.runs.serving import deployed
from lvmcore.runs.subject import model_file


@click.command("serve")
@click.argument("what", metavar="RUN|FILE")
@click.option("--port", type=click.IntRange(0, 65535), default=9007, show_default=True, help="0: any that is free.")
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0: whoever reaches this machine.")
@precision_option
@plugin_options
@runs_option
def command(
    what: str,
    port: int,
    host: str,
    precision: str,
    files: tuple[Path, ...],
    without: tuple[str, ...],
    root: Path,
) -> None:
    """Serve a model (a run, its id, `latest`, or a .safetensors file) over HTTP until Ctrl-C.

    GET / tells what it is, POST /predict takes {"contexts": …} and gives {"predictions": …}, /docs describes
    both. While it lasts `lvm compare` says where the run is served. Needs the extra `serve`.

    \b
    lvm serve latest
    lvm serve p1 --port 9007
    """
    try:
        import uvicorn

        from lvm_cli.service import service
    except ModuleNotFoundError as problem:
        fix = "pip install 'lvmcore[serve]'"
        raise LvmError(f"lvm serve needs {problem.name}, which is not installed", fix=fix) from None
    from lvmcore.checkpoint import load_model
    from lvmcore.device import resolve

    lab = open_lab(files, without, root=root)
    run = None if Path(what).suffix == ".safetensors" else lab.run(what)
    file = model_file(run or what, root)
    model, header = load_model(file, lab.registry)
    name = run.path.name if run else header.get("run", file.stem)
    precision = resolve(precision)
    about = {"model": name, **header, "parameters": model.parameter_count, "precision": precision, **_figures(run)}
    server = uvicorn.Server(uvicorn.Config(service(model, about, precision), log_level="warning"))
    with ExitStack() as held:
        door = held.enter_context(_listening(host, port))
        url = f"http://{host}:{door.getsockname()[1]}"
        if run:
            try:
                held.enter_context(deployed(run.path, url))
            except MachineError as problem:  # a store of models may well be read-only
                say(f"note: lvm compare will not know of it: {problem.what}")
        echo(one_line(f"{name} at {url}, described at {url}/docs; Ctrl-C ends it"), stderr=True)
        # uvicorn ends in peace on either signal, then passes it on
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            server.run(sockets=[door])
        except KeyboardInterrupt:
            return


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except OSError as problem:
        why = problem.strerror or str(problem)
        raise MachineError(f"nothing can listen there: {why}", where=f"{host}:{port}", fix="another --port") from None


def _figures(run: Run | None) -> dict[str, Any]:
    """What the run was measured at, VAL and gates."""
    evaluation = run.document_by() if run else None
    if not evaluation:
        return {}
    val, gates = evaluation["splits"]["val"], evaluation["gates"]
    figures = {"val_cos": val["cosine"], "margin": val["A"]["margin"], "r5": val["B"]["all"]["r5"]}
    return {"figures": figures, "gates": f"{gates['profile']} {gates['passed']}/{gates['of']}"}
