"""lvm serve: a model as a web service."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click

from lvm_cli.options import device_options, open_lab, plugin_options, precision_option, runs_option


@click.command("serve")
@click.argument("what", metavar="RUN|FILE")
@click.option("--port", type=click.IntRange(0, 65535), default=9007, show_default=True, help="0: any that is free.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Beyond loopback LVM_TOKEN must hold a token.")
@click.option("--uds", metavar="PATH", type=click.Path(path_type=Path), help="Listen to a Unix socket instead.")
@click.option(
    "--allow-host", "names", multiple=True, metavar="NAME", help="A further name by which clients call the host."
)
@click.option("--data", metavar="FILE|EXPR", help="The corpus that /nearest looks in.  [default: that of the model]")
@click.option(
    "--max-body", type=click.IntRange(1, 2000), default=32, show_default=True, metavar="MB", help="Of a request."
)
@click.option(
    "--queue",
    type=click.IntRange(min=4096),
    default=16_384,
    show_default=True,
    help="Predictions that may wait at a time.",
)
@click.option("--access-log/--no-access-log", default=True, show_default=True, help="A line a request, to stderr.")
@precision_option
@device_options
@plugin_options
@runs_option
def command(
    what: str,
    port: int,
    host: str,
    uds: Path | None,
    names: tuple[str, ...],
    data: str | None,
    max_body: int,
    queue: int,
    access_log: bool,
    precision: str,
    device: str,
    rows_on_device: str,
    files: tuple[Path, ...],
    without: tuple[str, ...],
    root: Path,
) -> None:
    """Serve a model (a run, its id, `latest`, or a .safetensors file) over HTTP until Ctrl-C.

    POST /predict takes {"contexts": …}, or the same as safetensors or plain numbers, and gives {"predictions": …};
    /rollout goes several steps ahead, /nearest finds chunks of the corpus. /docs describes it. While it lasts `lvm
    compare` says where the run is served. Needs the extra `serve`.

    \b
    lvm serve latest
    lvm serve p1 --port 9007
    LVM_TOKEN=… lvm serve p1 --host 0.0.0.0
    """
    from lvmcore.serving.limits import Limits

    limits = Limits(body=max_body * 1_000_000, bodies=max(8 * max_body * 1_000_000, 256_000_000), queue=queue)
    # the server ends in peace on either signal, then passes it on
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        open_lab(files, without, root=root, device=device, rows_on_device=rows_on_device).serve(
            what,
            data,
            host=host,
            port=port,
            uds=uds,
            names=names,
            precision=precision,
            limits=limits,
            log=sys.stderr if access_log else None,
        )
    except KeyboardInterrupt:
        return
