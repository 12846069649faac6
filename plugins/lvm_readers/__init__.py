"""The built-in readers."""

from lvmcore import hookimpl


@hookimpl
def lvm_readers():
    return [
        ("text", "lvm_readers.text:Text"),
        ("markdown", "lvm_readers.markdown:Markdown"),
        ("html", "lvm_readers.html:Html"),
        ("jsonl", "lvm_readers.jsonl:JsonLines"),
        ("parquet", "lvm_readers.parquet:Parquet"),
    ]
